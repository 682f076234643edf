-- How the operation went.
--   KEYS 1  hash  failures, open_until, appointed (see breaker_ask.lua)
--        2  zset  who waits until it closes -> rank
--   ARGV 1 '1' if it was answered   2 failures in a row that open it   3 pause between probes (ms)
--        4 '1' if this failure alone opens it
--   reply: {1 if it is open now, 1 if this opened it, now, those who wait if this closed it, the highest rank first ...}
-- include: time_now
local now = time_now()
local open_until = redis.call('HGET', KEYS[1], 'open_until')
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[1])
  if not open_until then
    return {0, 0, now}
  end
  local waiting = redis.call('ZREVRANGE', KEYS[2], 0, 4999)
  redis.call('DEL', KEYS[2])
  return {0, 0, now, unpack(waiting)}
end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local is_open = open_until or failures >= tonumber(ARGV[2]) or ARGV[4] == '1'
if is_open and (not open_until or tonumber(open_until) < now) then
  redis.call('HSET', KEYS[1], 'open_until', string.format('%d', now + tonumber(ARGV[3])))
end
redis.call('PEXPIRE', KEYS[1], 600000)
return {is_open and 1 or 0, is_open and not open_until and 1 or 0, now}
