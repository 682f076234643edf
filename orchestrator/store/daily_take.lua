-- Counts one request of a vendor's day, and keeps one stop in reserve for each live transcription.
--   KEYS 1  int   requests of this day
--        2  zset  Call SID -> when it was last started (ms): those that still need a stop
--   ARGV 1 limit   2 Call SID   3 'start', 'stop' (never refused) or 'other'   4 time to live of the day's count (s)
--   reply: {1 if it may go, requests so far, stops in reserve}
-- include: time_now
local now, limit = time_now(), tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 86400000)
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
local reserve = redis.call('ZCARD', KEYS[2])
if ARGV[3] ~= 'stop' then
  local own = 0
  if ARGV[3] == 'start' and not redis.call('ZSCORE', KEYS[2], ARGV[2]) then
    own = 1
  end
  if used + 1 + reserve + own > limit then
    return {0, used, reserve}
  end
  if ARGV[3] == 'start' then
    redis.call('ZADD', KEYS[2], now, ARGV[2])
    redis.call('EXPIRE', KEYS[2], 86400)
  end
end
used = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {1, used, redis.call('ZCARD', KEYS[2])}
