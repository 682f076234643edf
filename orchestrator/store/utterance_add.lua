-- Keeps an utterance unless its key is known or its call has been forgotten. It makes a look due where it may have been
-- said in a pause, and another one after the look at the finished call.
--   KEYS 1  utterances  hash    key -> record (JSON)
--        2  heard       string  time of the last receipt (ms)
--        3  messages    hash    what is kept of the finished call; `looks`: it has been looked at
--        4  forgotten   string  there while nothing of the call may come back
--        5  feed        stream  which utterances have come (see feed.py)
--        6-14           the slow queue (see queue_mark.lua)
--        15 call        hash    `fenced`: until when messages may tell what was said in a pause (ms)
--   ARGV 1 key   2 record   3 time of receipt (ms)   4 time to live (s)   5 Call SID   6 cap of the feed
--        7 when such a look is due (ms)
--   reply: 0 known, 1 new, 2 new and after the finished call was looked at, -1 forgotten, nothing kept
-- include: queue_mark
if redis.call('EXISTS', KEYS[4]) == 1 then
  return -1
end
local is_new = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
local heard = math.max(tonumber(ARGV[3]), tonumber(redis.call('GET', KEYS[2]) or 0))
redis.call('SET', KEYS[2], string.format('%d', heard), 'EX', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if is_new == 1 then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[6], '*', 'call', ARGV[5], 'utterance', ARGV[1])
  redis.call('EXPIRE', KEYS[5], ARGV[4])
end
if is_new == 1 and redis.call('HEXISTS', KEYS[3], 'looks') == 1 then
  queue_mark(queue_of(6), ARGV[5], tonumber(ARGV[7]), false, tonumber(ARGV[3]))
  return 2
end
if is_new == 1 and tonumber(redis.call('HGET', KEYS[15], 'fenced') or 0) > tonumber(ARGV[3]) then
  queue_mark(queue_of(6), ARGV[5], tonumber(ARGV[7]), false, tonumber(ARGV[3]))
end
return is_new
