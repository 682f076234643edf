-- May this operation be tried? While the breaker is open only one probe at a time is.
--   KEYS 1  hash  failures (in a row), open_until (ms; the next probe), appointed (for which probe somebody will ask)
--        2  set   who waits until it closes
--   ARGV 1 who asks ('' : nobody who could wait)   2 pause between probes (ms)   3 pause of those not appointed (ms)
--   reply: 0: go ahead; else ms to wait before asking again
-- include: time_now
local now = time_now()
local open_until = tonumber(redis.call('HGET', KEYS[1], 'open_until'))
if not open_until then
  return 0
end
if open_until <= now then
  redis.call('HSET', KEYS[1], 'open_until', now + tonumber(ARGV[2]))
  return 0
end
if ARGV[1] ~= '' then
  redis.call('SADD', KEYS[2], ARGV[1])
  redis.call('EXPIRE', KEYS[2], 600)
end
if redis.call('HGET', KEYS[1], 'appointed') == string.format('%d', open_until) then
  return math.max(open_until - now, tonumber(ARGV[3]))
end
redis.call('HSET', KEYS[1], 'appointed', string.format('%d', open_until))
return open_until - now
