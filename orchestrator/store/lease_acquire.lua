-- Takes or prolongs a lease.
--   KEYS 1  string  token of the holder
--   ARGV 1 token   2 time to live (ms)
--   reply: 1 or 0
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
