-- Included by others: milliseconds since the epoch by Redis's clock. Keys: none.
local function time_now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
