-- Counts requests of a vendor's day, and keeps one stop in reserve for each live transcription.
--   KEYS 1  int   requests of this day
--        2  zset  Call SID -> when it was last started (ms): those that still need a stop
--   ARGV 1 limit   2 'start', 'other', 'release' or 'count'   3 Call SID (of a start or a release)
--        4 requests that were sent and are not counted yet   5 time to live of the day's count (s)
--   reply: {1 if it may go (it is counted then), 1 if a stop was reserved, requests so far, stops in reserve}
-- include: time_now
local now, limit, kind, sid = time_now(), tonumber(ARGV[1]), ARGV[2], ARGV[3]
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 86400000)
local used = redis.call('INCRBY', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
if kind == 'release' then
  redis.call('ZREM', KEYS[2], sid)
end
local reserve = redis.call('ZCARD', KEYS[2])
if kind == 'release' or kind == 'count' then
  return {1, 0, used, reserve}
end

local own = 0
if kind == 'start' and not redis.call('ZSCORE', KEYS[2], sid) then
  own = 1
end
if used + 1 + reserve + own > limit then
  return {0, 0, used, reserve}
end
if kind == 'start' then
  redis.call('ZADD', KEYS[2], now, sid)
  redis.call('EXPIRE', KEYS[2], 86400)
end
return {1, own, redis.call('INCR', KEYS[1]), reserve + own}
