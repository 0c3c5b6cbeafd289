import { createServer, type RequestListener, type Server } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import type { MetricQuestion } from "../../ports/metrics.ts"
import { fillIn, prometheusMetrics } from "./prometheus.ts"

const to = 1_700_000_000_000
const from = to - 10_000
const signal = new AbortController().signal

const question = (
  url: string,
  more: { query?: string; instances?: readonly string[]; from?: number } = {},
): MetricQuestion => ({
  app: "papi",
  addresses: {},
  metric: {
    name: "memory",
    source: { type: "prometheus", url, query: more.query ?? "up" },
    kind: "gauge",
    worse: "up",
    critical: false,
    tolerateRatio: 0.2,
    tolerateDelta: 0,
  },
  cohort: { route: "papi/prod", pool: "r7", mirrored: false, instances: more.instances ?? ["papi-prod-7-1"] },
  from: more.from ?? from,
  to,
})

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

/** A monitoring system that behaves like this. */
async function stub(behave: RequestListener): Promise<string> {
  const server = createServer(behave)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`
}

const answering = (body: unknown, status = 200, type = "application/json"): Promise<string> =>
  stub((_, response) => {
    response.writeHead(status, { "content-type": type })
    response.end(typeof body === "string" ? body : JSON.stringify(body))
  })

const matrix = (...series: (readonly (readonly [number, string])[])[]) => ({
  status: "success",
  data: { resultType: "matrix", result: series.map((values) => ({ metric: {}, values })) },
})
const now = to / 1_000

describe("a query to Prometheus", () => {
  const asked = (query: string, instances: readonly string[]) =>
    fillIn(query, question("http://x", { instances }))

  it("names the cohort's instances and the interval", () => {
    const query = `sum(rate(x{instance=~"\${instance}"}[\${window}]))`
    expect(asked(query, ["a-1", "b.2"])).toBe(`sum(rate(x{instance=~"(?:a-1|b[.]2)"}[10s]))`)
  })

  it("asks for any of several instances where the query compares with one", () => {
    expect(asked(`x{instance="\${instance}"} - x{instance != '\${instance}'}`, ["a", "b"])).toBe(
      `x{instance=~"(?:a|b)"} - x{instance !~ '(?:a|b)'}`,
    )
  })

  it("means each of the instances where something stands beside them", () => {
    expect(asked(`x{instance="\${instance}:9090"}`, ["a", "b"])).toBe(`x{instance=~"(?:a|b):9090"}`)
    expect(asked(`x{instance="\${instance}:9090"}`, ["a"])).toBe(`x{instance=~"a:9090"}`)
  })

  it("refuses an instance id that could change the query", () => {
    for (const id of ['a"} or vector(1) #', "a|b", "a\\", "", "a b", `\${window}`])
      expect(() => asked(`x{instance="\${instance}"}`, [id])).toThrow(/cannot stand in a query/)
  })

  it("asks for one value every 15 s, ending with the interval, and for nothing older", async () => {
    const forms: URLSearchParams[] = []
    const url = await stub((req, res) => {
      let body = ""
      req.on("data", (chunk) => {
        body += String(chunk)
      })
      req.on("end", () => {
        forms.push(new URLSearchParams(body))
        expect(req.url).toBe("/prom/api/v1/query_range")
        res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(matrix()))
      })
    })
    await prometheusMetrics().observe(question(`${url}/prom/`), signal)
    await prometheusMetrics().observe(question(`${url}/prom`, { from: to - 40_000 }), signal)
    expect(forms.map((f) => [f.get("start"), f.get("end"), f.get("step"), f.get("lookback_delta")])).toEqual([
      ["1700000000", "1700000000", "15", "60s"],
      ["1699999970", "1700000000", "15", "80s"],
    ])
  })
})

describe("an answer of Prometheus", () => {
  const observed = async (body: unknown) =>
    prometheusMetrics().observe(question(await answering(body)), signal)

  it("tells instances apart only where every series is of exactly one", async () => {
    const levels = (...labels: Record<string, string>[]) =>
      answering({
        status: "success",
        data: {
          resultType: "matrix",
          result: labels.map((metric) => ({ metric, values: [[now, "2"]] })),
        },
      })
    const instancesIn = async (url: string) => {
      const asked = { instances: ["papi-prod-7-1", "papi-prod-7-10"] }
      const seen = await prometheusMetrics().observe(question(url, asked), signal)
      return seen?.kind === "gauge" ? seen.instances?.map(({ id }) => id) : undefined
    }
    const [one, ten] = [{ instance: "papi-prod-7-1:9090" }, { pod: "papi-prod-7-10" }]
    expect(await instancesIn(await levels(one, ten))).toEqual(["papi-prod-7-1", "papi-prod-7-10"])
    expect(await instancesIn(await levels(one, { job: "papi" }))).toBeUndefined()
    expect(await instancesIn(await levels({ ...one, ...ten }))).toBeUndefined()
    expect(await instancesIn(await levels({}))).toBeUndefined()
  })

  it("becomes one value per series and step", async () => {
    expect(
      await observed(
        matrix(
          [
            [now - 5, "1"],
            [now, "2.5"],
          ],
          [[now, "-3e2"]],
        ),
      ),
    ).toEqual({
      kind: "gauge",
      values: [1, 2.5, -300],
    })
    const vector = {
      resultType: "vector",
      result: [
        { metric: {}, value: [now, "7"] },
        { metric: {}, histogram: [now, {}] },
      ],
    }
    expect(await observed({ status: "success", data: vector })).toEqual({ kind: "gauge", values: [7] })
    const scalar = { resultType: "scalar", result: [now, "8"] }
    expect(await observed({ status: "success", data: scalar })).toEqual({ kind: "gauge", values: [8] })
  })

  const nothing: Record<string, unknown> = {
    "no series": matrix(),
    "a series without values": matrix([]),
    NaN: matrix([[now, "NaN"]]),
    infinities: matrix([[now, "+Inf"]], [[now, "-Inf"]]),
    "a number too large to be one": matrix([[now, "1e999"]]),
    "an empty text": matrix([[now, ""]]),
    "a stale sample": matrix([[now - 21, "1"]]),
    "a sample of the future": matrix([[now + 11, "1"]]),
  }
  for (const [what, body] of Object.entries(nothing))
    it(`is no data, and never zero, when it holds ${what}`, async () => {
      expect(await observed(body)).toBeUndefined()
    })

  it("keeps what can be used beside what cannot", async () => {
    expect(await observed(matrix([[now, "NaN"]], [[now, "1e308"]]))).toEqual({
      kind: "gauge",
      values: [1e308],
    })
  })

  it("is no data for a cohort of nobody, without asking", async () => {
    const url = await stub(() => expect.unreachable("it was asked"))
    expect(await prometheusMetrics().observe(question(url, { instances: [] }), signal)).toBeUndefined()
  })

  const wrong: Record<string, readonly [body: unknown, said: RegExp]> = {
    "an empty body": ["", /is not JSON/],
    "half a body": ['{"status":"succ', /is not JSON/],
    "another object": [{}, /refused the query/],
    "a list": [[], /not that of Prometheus/],
    "no data": [{ status: "success" }, /has no data/],
    text: [{ status: "success", data: { resultType: "string", result: [now, "x"] } }, /gives a string/],
    "no list": [{ status: "success", data: { resultType: "matrix", result: {} } }, /no list of results/],
    "a series that is none": [{ status: "success", data: { resultType: "matrix", result: [7] } }, /not one/],
    "a bare number": [
      { status: "success", data: { resultType: "matrix", result: [{ values: [1] }] } },
      /not a time and a value/,
    ],
    "an error": [{ status: "error", error: "parse error: unexpected" }, /refused the query: parse error/],
  }
  for (const [what, [body, said]] of Object.entries(wrong))
    it(`is refused, and says why, when it is ${what}`, async () => {
      await expect(observed(body)).rejects.toThrow(said)
      await expect(observed(body)).rejects.toThrow(
        /^Prometheus at 127\.0\.0\.1:\d+ gave no answer for memory: /,
      )
    })
})

describe("a Prometheus that misbehaves is told of, never taken for data", () => {
  const ask = (url: string, on = signal, timeoutMs = 30_000) =>
    prometheusMetrics({ timeoutMs, answerBytes: 100_000 }).observe(question(url), on)

  it("answers 500 or 503", async () => {
    await expect(ask(await answering("oh no", 500, "text/plain"))).rejects.toThrow(/it answered 500$/)
    await expect(ask(await answering({ status: "error", error: "overloaded" }, 503))).rejects.toThrow(
      /503: overloaded/,
    )
  })

  it("answers 200 with a page", async () => {
    await expect(ask(await answering("<html>log in</html>", 200, "text/html"))).rejects.toThrow(
      /text\/html, not with JSON/,
    )
  })

  it("sends it elsewhere", async () => {
    const there = await answering(matrix([[now, "1"]]))
    const here = await stub((_, response) => response.writeHead(307, { location: there }).end())
    await expect(ask(here)).rejects.toThrow(/it answered 307/)
  })

  it("answers far too much", async () => {
    await expect(ask(await answering(matrix([[now, "1".repeat(200_000)]])))).rejects.toThrow(
      /larger than 100,000 bytes/,
    )
    const endless = await stub((_, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      const more = (): void => {
        while (!response.destroyed && response.write(" ".repeat(10_000)));
        if (!response.destroyed) response.once("drain", more)
      }
      more()
    })
    await expect(ask(endless)).rejects.toThrow(/larger than 100,000 bytes/)
  })

  it("says nothing, or drips", async () => {
    await expect(ask(await stub(() => {}), signal, 1_000)).rejects.toThrow(/took longer than 1 s/)
    const dripping = await stub((_, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      const timer = setInterval(() => response.write(" "), 50)
      response.once("close", () => clearInterval(timer))
    })
    await expect(ask(dripping, signal, 1_000)).rejects.toThrow(/took longer than 1 s/)
  })

  it("is not there, or hangs up", async () => {
    await expect(ask("http://127.0.0.1:1")).rejects.toThrow(/ECONNREFUSED/)
    await expect(ask(await stub((request) => request.socket.destroy()))).rejects.toThrow(
      /gave no answer for memory: ./,
    )
  })

  it("is let go when nobody waits any more", async () => {
    const abort = new AbortController()
    const asked = ask(await stub(() => abort.abort()), abort.signal)
    await expect(asked).rejects.toThrow(/asked to stop/)
  })

  it("has an address that is none, or one with credentials", async () => {
    await expect(ask("ftp://example.com")).rejects.toThrow(/is not one of http or https/)
    await expect(ask("prometheus:9090")).rejects.toThrow(/is not one of http or https/)
    await expect(ask("http://eva:hunter2@example.com")).rejects.toThrow(/^(?!.*hunter2).*credentials/)
  })
})
