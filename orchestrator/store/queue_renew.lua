-- Prolongs a claim while its token is the current one.
--   KEYS 1-9  the queue (see queue_mark.lua)
--   ARGV 1 key   2 token   3 lease (ms)
--   reply: 1, or 0 when another worker has taken the key over or it was released
-- include: time_now
-- include: queue_mark
local queue = queue_of(1)
if redis.call('HGET', queue.tokens, ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('ZADD', queue.leases, time_now() + tonumber(ARGV[3]), ARGV[1])
return 1
