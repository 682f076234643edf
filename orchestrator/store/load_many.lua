-- Documents of several calls of one shard.
--   KEYS  calls (hash)      reply: documents, '' where there is none
local found = {}
for each = 1, #KEYS do
  found[each] = redis.call('HGET', KEYS[each], 'document') or ''
end
return found
