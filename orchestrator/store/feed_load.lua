-- What a reader of the feed needs of several calls of one shard.
--   KEYS  calls (hash)      reply: document and version of its latest entry in the feed for each; '' where there is none
local found = {}
for each = 1, #KEYS do
  local call = redis.call('HMGET', KEYS[each], 'document', 'shown')
  found[2 * each - 1] = call[1] or ''
  found[2 * each] = call[2] or ''
end
return found
