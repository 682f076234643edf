-- Included by others: the marks of a queue. Keys (names of the fields of `queue`, from keys.py QueueKeys):
--   due, urgent            zset  key -> due time (ms): waiting, may be claimed when due; urgent ones first
--   held_due, held_urgent  zset  the same for keys that are being worked on; they wait for the release
--   leases                 zset  key -> end of the lease (ms)
--   tokens                 hash  key -> token of the claim
--   serial                 int   source of tokens
--   wake, wake_urgent      list  one element per reason for an idle worker to look
local function queue_of(first)
  return {
    due = KEYS[first], urgent = KEYS[first + 1], held_due = KEYS[first + 2], held_urgent = KEYS[first + 3],
    leases = KEYS[first + 4], tokens = KEYS[first + 5], serial = KEYS[first + 6],
    wake = KEYS[first + 7], wake_urgent = KEYS[first + 8],
  }
end

local function queue_wake(list)
  redis.call('LPUSH', list, '1')
  redis.call('LTRIM', list, 0, 63)
  redis.call('EXPIRE', list, 60)
end

-- The earlier of two marks stands. An idle worker is woken when the key is due, or due before all others (so that
-- it shortens its wait). A key under a lease waits for its release.
local function queue_mark(queue, key, due, is_urgent, now)
  if redis.call('ZSCORE', queue.leases, key) then
    redis.call('ZADD', is_urgent and queue.held_urgent or queue.held_due, 'LT', due, key)
    return
  end
  local set = is_urgent and queue.urgent or queue.due
  local changed = redis.call('ZADD', set, 'LT', 'CH', due, key)
  if due <= now or (changed == 1 and redis.call('ZRANGE', set, 0, 0)[1] == key) then
    queue_wake(is_urgent and queue.wake_urgent or queue.wake)
  end
end
