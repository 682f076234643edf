-- May this operation be tried? While the breaker is open only one probe at a time is.
--   KEYS 1  hash  failures (in a row), open_until (ms; the next probe), appointed (for which probe somebody will ask)
--        2  zset  who waits until it closes -> rank
--   ARGV 1 who asks ('' : nobody who could wait)   2 pause between probes (ms)   3 pause of those not appointed (ms)
--        4 rank   5 '1' if it may be the probe
--   reply: 0: go ahead; else ms to wait before asking again
-- include: time_now
local now = time_now()
local open_until = tonumber(redis.call('HGET', KEYS[1], 'open_until'))
if not open_until then
  return 0
end
local may_probe = ARGV[5] == '1'
if may_probe and open_until <= now then
  redis.call('HSET', KEYS[1], 'open_until', now + tonumber(ARGV[2]))
  return 0
end
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  redis.call('EXPIRE', KEYS[2], 600)
end
if not may_probe or redis.call('HGET', KEYS[1], 'appointed') == string.format('%d', open_until) then
  return math.max(open_until - now, tonumber(ARGV[3]))
end
redis.call('HSET', KEYS[1], 'appointed', string.format('%d', open_until))
return open_until - now
