-- For wrk: posts the JSON bodies of the file that BODIES names, one a line, in turn; without it
-- asks with GET. The figures are one line of JSON.
if os.getenv("BODIES") then
  local bodies, next_body = {}, 0
  for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
  local headers = { ["Content-Type"] = "application/json" }

  function request()
    next_body = next_body % #bodies + 1
    return wrk.format("POST", nil, headers, bodies[next_body])
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"rate": %f, "p50": %f, "p99": %f, "errors": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, errors.status + errors.connect + errors.read + errors.write
    + errors.timeout))
end
