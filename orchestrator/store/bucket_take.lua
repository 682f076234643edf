-- Takes one token of a bucket that fills by the clock.
--   KEYS 1  hash  tokens, at (ms)
--   ARGV 1 rate (per s)   2 burst   3 tokens that must stay after taking (reserved for stops; 0 for a stop)
--   reply: ms to wait before asking again; 0: taken
-- include: time_now
local now, rate, burst, reserve = time_now(), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(stored[1] or burst)
local elapsed = math.max(0, now - tonumber(stored[2] or now))
tokens = math.min(burst, tokens + elapsed * rate / 1000)
local missing = 1 + reserve - tokens
local wait = 0
if missing <= 1e-9 then
  tokens = tokens - 1
else
  wait = math.max(1, math.ceil(missing * 1000 / rate))
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst * 1000 / rate) + 60000)
return wait
