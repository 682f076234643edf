-- Gives a lease back, if it is still held with this token.
--   KEYS 1  string  token of the holder
--   ARGV 1 token
--   reply: 1 or 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
