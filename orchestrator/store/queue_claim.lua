-- Claims the next key: urgent ones, then those whose lease ran out (their worker died), then the longest due.
--   KEYS 1-9  the queue (see queue_mark.lua)
--        10   claimed  hash  the token that this very claim has got, for some seconds: where its answer was lost it is
--                            sent again, and gets the same; the key itself is not kept, since a call may be forgotten
--   ARGV 1 worker   2 lease (ms)   3 '1' if only urgent ones and ended leases
--   reply: {now, key, token, 1 if taken over, 1 if urgent}, or {now} where there is none
-- include: time_now
-- include: queue_mark
local queue = queue_of(1)
local now = time_now()
local got = redis.call('HMGET', KEYS[10], 'token', 'taken_over', 'urgent')
if got[1] then
  local held = redis.call('HGETALL', queue.tokens)
  for each = 1, #held, 2 do
    if held[each + 1] == got[1] then
      return {now, held[each], got[1], tonumber(got[2]), tonumber(got[3])}
    end
  end
end
local function first_until(set)
  return redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 1)[1]
end

local key = first_until(queue.urgent)
local urgent = key and 1 or 0
local taken_over = 0
if not key then
  key = first_until(queue.leases)
  taken_over = key and 1 or 0
end
if not key and ARGV[3] ~= '1' then
  key = first_until(queue.due)
end
if not key then
  return {now}
end

local token = redis.call('INCR', queue.serial) .. ':' .. ARGV[1]
redis.call('ZREM', queue.urgent, key)
redis.call('ZREM', queue.due, key)
redis.call('ZADD', queue.leases, now + tonumber(ARGV[2]), key)
redis.call('HSET', queue.tokens, key, token)
redis.call('HSET', KEYS[10], 'token', token, 'taken_over', taken_over, 'urgent', urgent)
redis.call('EXPIRE', KEYS[10], 10)
-- A herd that comes due by the clock wakes one worker; it wakes the next.
if redis.call('EXISTS', queue.wake) == 0 and first_until(queue.due) then
  queue_wake(queue.wake)
end
if redis.call('EXISTS', queue.wake_urgent) == 0 and first_until(queue.urgent) then
  queue_wake(queue.wake_urgent)
end
return {now, key, token, taken_over, urgent}
