-- Erases a call and sets the mark that keeps its words from coming back, all or nothing.
--   KEYS 1  forgotten  string   2 live zset   3 recent zset   4- what the call owns
--   ARGV 1 Call SID   2 time to live of the mark (s)
--   reply: how many of the call's keys there were
redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
local erased = 0
for each = 4, #KEYS do
  erased = erased + redis.call('DEL', KEYS[each])
end
return erased
