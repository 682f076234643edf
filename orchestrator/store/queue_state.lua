-- How full a queue is.
--   KEYS 1-9  the queue (see queue_mark.lua)
--   reply: {due now, due later, under a lease, earliest mark (ms) or '', earliest urgent mark or '', earliest end of
--           a lease or '', now}
-- include: time_now
-- include: queue_mark
local queue = queue_of(1)
local now = time_now()
local function first(set)
  return redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2] or ''
end
local due = redis.call('ZCOUNT', queue.due, '-inf', now) + redis.call('ZCOUNT', queue.urgent, '-inf', now)
local all = redis.call('ZCARD', queue.due) + redis.call('ZCARD', queue.urgent)
return {due, all - due, redis.call('ZCARD', queue.leases), first(queue.due), first(queue.urgent), first(queue.leases), now}
