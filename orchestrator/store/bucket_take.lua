-- Takes one token of a bucket that fills by the clock. Who gets none waits in line, the highest rank first.
--   KEYS 1  hash  tokens, at (ms)
--        2  zset  who waits -> rank
--        3  zset  who waits -> until when (ms) it must have asked again, to keep its place
--   ARGV 1 rate (per s)   2 burst   3 tokens that must stay after taking (reserved for stops; 0 for a stop)
--        4 who asks ('' : does not wait in line)   5 rank   6 how late one may ask again (ms)
--   reply: ms to wait before asking again, when those ahead will have been served; 0: taken
-- include: time_now
local now, rate, burst, reserve, who = time_now(), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(stored[1] or burst)
local elapsed = math.max(0, now - tonumber(stored[2] or now))
tokens = math.min(burst, tokens + elapsed * rate / 1000)

local ahead = 0
if who ~= '' then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEYS[2], gone)
    redis.call('ZREM', KEYS[3], gone)
  end
  redis.call('ZADD', KEYS[2], ARGV[5], who)
  ahead = redis.call('ZREVRANK', KEYS[2], who)
end

local missing = 1 + reserve + ahead - tokens
local wait = 0
if missing <= 1e-9 then
  tokens = tokens - 1
  redis.call('ZREM', KEYS[2], who)
  redis.call('ZREM', KEYS[3], who)
else
  wait = math.max(1, math.ceil(missing * 1000 / rate))
  if who ~= '' then
    redis.call('ZADD', KEYS[3], now + wait + tonumber(ARGV[6]), who)
    redis.call('PEXPIRE', KEYS[2], wait + 60000)
    redis.call('PEXPIRE', KEYS[3], wait + 60000)
  end
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst * 1000 / rate) + 60000)
return wait
