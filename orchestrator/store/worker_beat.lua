-- Notes that a worker lives, and forgets those that have not said so in time.
--   KEYS 1  zset  worker -> until when it counts as alive (ms)
--   ARGV 1 worker ('' : only forget)   2 time to live (ms)
--   reply: living workers and until when, alternating
-- include: time_now
local now = time_now()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
