-- Keeps an utterance unless its key is known.
--   KEYS 1  utterances  hash    key -> record (JSON)
--        2  heard       string  time of the last receipt (ms)
--   ARGV 1 key   2 record   3 time of receipt (ms)   4 time to live (s)
--   reply: 1 if new
local is_new = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
local heard = math.max(tonumber(ARGV[3]), tonumber(redis.call('GET', KEYS[2]) or 0))
redis.call('SET', KEYS[2], string.format('%d', heard), 'EX', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return is_new
