-- Commits one event to one call: document, timeline, lists, counters, due mark and wake-up, all or nothing.
--   KEYS 1  call       hash    version, document (JSON), commit (id of the last one), dropped (timeline entries),
--                             shown (version of its latest entry in the feed),
--                             fenced (until when, in ms, messages may tell what was said in a pause; see rules.py)
--        2  timeline   stream  event and state (packed, see packing.py), version, note
--        3  live       zset    Call SID -> creation time, until the call ends
--        4  recent     zset    Call SID -> creation time
--        5  counters   hash    name -> number
--        6-14          the queue (see queue_mark.lua)
--        15 over       string  there while the SID of a call that has ended must not begin another
--        16 forgotten  string  the same for a call that was erased
--        17 feed       stream  which calls have changed (see feed.py)
--        18-           strings: other names of the call that share its shard -> Call SID
--   ARGV 1 Call SID   2 version that must be stored ('' : none)   3 new version   4 document ('' : unchanged)
--        5 id of this commit   6 event   7 state   8 note   9 cap of the timeline   10 time to live (s)
--        11 due (ms; 0 now, -1 no mark)   12 '1' if urgent   13 '1' if the call has ended   14 creation time
--        15 how long its SID begins no other call (s; 0: it may)
--        16 cap of the feed ('' : nobody would see a change)   17 fenced until (ms; 0: not at all)
--        18- counters: name, value, ...
--   reply: {1, now} or, with nothing written, {0, now, document or nil} or {-1, now}: the call of this SID is over
-- include: time_now
-- include: queue_mark
local sid, ttl, now = ARGV[1], ARGV[10], time_now()
local stored = redis.call('HMGET', KEYS[1], 'version', 'commit')
if stored[2] == ARGV[5] then
  return {1, now} -- the first sending of this very commit was carried out, only its answer was lost
end
if (stored[1] or '') ~= ARGV[2] then
  return {0, now, redis.call('HGET', KEYS[1], 'document')}
end
if ARGV[2] == '' and redis.call('EXISTS', KEYS[15], KEYS[16]) > 0 then
  return {-1, now}
end

redis.call('HSET', KEYS[1], 'version', ARGV[3], 'commit', ARGV[5])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'document', ARGV[4])
  if ARGV[17] ~= '0' then
    redis.call('HSET', KEYS[1], 'fenced', ARGV[17])
  end
end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[9]) then
  redis.call('HINCRBY', KEYS[1], 'dropped', 1)
end
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[9], '*',
  'event', ARGV[6], 'state', ARGV[7], 'version', ARGV[3], 'note', ARGV[8])
if ARGV[13] ~= '1' or ARGV[4] ~= '' then -- what changes nothing of an ended call does not keep it any longer
  redis.call('EXPIRE', KEYS[1], ttl)
  redis.call('EXPIRE', KEYS[2], ttl)
end

if ARGV[13] == '1' then
  redis.call('ZREM', KEYS[3], sid)
else
  redis.call('ZADD', KEYS[3], ARGV[14], sid)
end
if ARGV[15] ~= '0' then
  redis.call('SET', KEYS[15], '1', 'EX', ARGV[15], 'NX')
end
if ARGV[2] == '' then
  redis.call('ZADD', KEYS[4], ARGV[14], sid)
  -- A day is longer than any call: a document that its call's events keep alive stays listed.
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', tonumber(ARGV[14]) - (tonumber(ttl) + 86400) * 1000)
end
if ARGV[16] ~= '' then
  redis.call('HSET', KEYS[1], 'shown', ARGV[3])
  redis.call('XADD', KEYS[17], 'MAXLEN', '~', ARGV[16], '*', 'call', sid, 'version', ARGV[3])
  redis.call('EXPIRE', KEYS[17], ttl)
end
for each = 18, #KEYS do
  redis.call('SET', KEYS[each], sid, 'EX', ttl)
end
for each = 18, #ARGV, 2 do
  redis.call('HINCRBYFLOAT', KEYS[5], ARGV[each], ARGV[each + 1])
end
local due = tonumber(ARGV[11])
if due >= 0 then
  queue_mark(queue_of(6), sid, due > 0 and due or now, ARGV[12] == '1', now)
end
return {1, now}
