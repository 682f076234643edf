-- Ends a claim while its token is the current one; marks that were made meanwhile become marks.
--   KEYS 1-9  the queue (see queue_mark.lua)
--   ARGV 1 key   2 token   3 look again at (ms; 0: now, -1: only if marked)   4 '1' if that look is urgent
--        5 '1' if marks made meanwhile count no more
--   reply: 1, or 0 when another worker has taken the key over or it was released
-- include: time_now
-- include: queue_mark
local queue = queue_of(1)
local key = ARGV[1]
if redis.call('HGET', queue.tokens, key) ~= ARGV[2] then
  return 0
end
local held_due = redis.call('ZSCORE', queue.held_due, key)
local held_urgent = redis.call('ZSCORE', queue.held_urgent, key)
local again = tonumber(ARGV[3])
local now = time_now()
redis.call('ZREM', queue.leases, key)
redis.call('HDEL', queue.tokens, key)
redis.call('ZREM', queue.held_due, key)
redis.call('ZREM', queue.held_urgent, key)
if ARGV[5] == '1' then
  held_due, held_urgent = nil, nil
end
if held_due then
  queue_mark(queue, key, tonumber(held_due), false, now)
end
if held_urgent then
  queue_mark(queue, key, tonumber(held_urgent), true, now)
end
if again >= 0 then
  queue_mark(queue, key, again > 0 and again or now, ARGV[4] == '1', now)
end
return 1
