-- Marks a key of a queue.
--   KEYS 1-9  the queue (see queue_mark.lua)
--   ARGV 1 key   2 due time (ms; 0: now)   3 '1' if urgent
-- include: time_now
-- include: queue_mark
local now = time_now()
local due = tonumber(ARGV[2])
queue_mark(queue_of(1), ARGV[1], due > 0 and due or now, ARGV[3] == '1', now)
return now
