-- Replaces records by what may be kept of them; a record that has gone meanwhile stays away.
--   KEYS 1  utterances  hash  key -> record (JSON)
--        2  quarantine  hash  key -> record (JSON) with its words
--   ARGV 1 time to live of the words (s; 0: they are not kept)   2- key, record, key, record ...
--   reply: how many were replaced
local replaced = 0
for each = 2, #ARGV, 2 do
  local words = redis.call('HGET', KEYS[1], ARGV[each])
  if words then
    if tonumber(ARGV[1]) > 0 then
      redis.call('HSETNX', KEYS[2], ARGV[each], words)
    end
    redis.call('HSET', KEYS[1], ARGV[each], ARGV[each + 1])
    replaced = replaced + 1
  end
end
if replaced > 0 and tonumber(ARGV[1]) > 0 then
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
return replaced
