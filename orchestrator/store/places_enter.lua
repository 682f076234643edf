-- Takes a place among a limited number; places of holders that died come free when their lease ends.
--   KEYS 1  zset  token -> end of the lease (ms)
--   ARGV 1 token   2 limit   3 lease (ms)
--   reply: 1 or 0
-- include: time_now
local now = time_now()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) + 60000)
return 1
