-- Counts one try under each name; each count is forgotten some time after its first try.
--   KEYS  int   tries under one name
--   ARGV 1 time until a count is forgotten (s)   2- tries allowed under each name
--   reply: 0, or the longest time (s) until a count that is exceeded is forgotten
local wait = 0
for each = 1, #KEYS do
  local count = redis.call('INCR', KEYS[each])
  if count == 1 then
    redis.call('EXPIRE', KEYS[each], ARGV[1])
  end
  if count > tonumber(ARGV[each + 1]) then
    wait = math.max(wait, redis.call('TTL', KEYS[each]), 1)
  end
end
return wait
