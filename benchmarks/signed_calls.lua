-- wrk: one signed voice webhook after the other, each of a call of its own.
-- Arguments: a file with a line for each request, signature, tab, form; the path; how many lines to leave out at first.
local lines, at, path = {}, 0, "/twilio/voice"

function init(args)
  path = args[2]
  at = tonumber(args[3])
  for line in io.lines(args[1]) do
    local signature, form = line:match("^(%S+)\t(.*)$")
    lines[#lines + 1] = wrk.format("POST", path, {
      ["Content-Type"] = "application/x-www-form-urlencoded",
      ["X-Twilio-Signature"] = signature,
    }, form)
  end
end

function request()
  at = at % #lines + 1
  return lines[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "most_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
