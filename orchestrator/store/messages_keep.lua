-- Keeps the messages of a finished call, or a note beside them, unless the call has been forgotten.
--   KEYS 1  messages   hash    source -> messages (JSON), looks, asked, told
--        2  forgotten  string  there while nothing of the call may come back
--   ARGV 1 source, or `told`   2 messages   3 time to live (s)
--   reply: 1 if kept
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
