-- Erases a call and sets the mark that keeps its words from coming back, all or nothing.
--   KEYS 1  forgotten  string   2 live zset   3 recent zset   4 feed stream   5- what the call owns
--   ARGV 1 Call SID   2 time to live of the mark (s)   3 digest of the SID, to tell who shows the call   4 cap of the feed
--   reply: how many of the call's keys there were
redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
for _, entry in ipairs(redis.call('XRANGE', KEYS[4], '-', '+')) do
  if entry[2][2] == ARGV[1] then
    redis.call('XDEL', KEYS[4], entry[1])
  end
end
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], '*', 'forgotten', ARGV[3])
redis.call('EXPIRE', KEYS[4], ARGV[2])
local erased = 0
for each = 5, #KEYS do
  erased = erased + redis.call('DEL', KEYS[each])
end
return erased
