-- A thousand users, one after the other, each with a cookie of their own.
local requests, at = {}, 0

function init(args)
  for n = 1, 1000 do
    requests[n] = wrk.format("GET", "/items/42?page=3", {
      ["Host"] = "shop.test",
      ["Cookie"] = "user=u" .. n .. "x; theme=dark",
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) bench",
      ["Accept"] = "text/html,application/xhtml+xml",
      ["Accept-Encoding"] = "gzip, br",
    })
  end
end

function request()
  at = at % 1000 + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"us":%d,"failed":%d,"p50us":%d,"p99us":%d}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
