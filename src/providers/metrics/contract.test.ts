import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Told } from "../../ports/inbox.ts"
import {
  latencyBounds,
  latencyMs,
  type MetricsSourceUnderTest,
  metricsSourceContract,
  type Shown,
  type Trouble,
  troubles,
} from "../../testing/metrics-contract.ts"
import { jsonMetrics } from "./json.ts"
import { prometheusMetrics } from "./prometheus.ts"
import { pushMetrics } from "./push.ts"
import { scrapeMetrics } from "./scrape.ts"

const limits = { timeoutMs: 2_500 }
const hour = 3_600_000
const all = ["papi-r7-1", "papi-r7-2", "papi-r70-1", "papi-r9-1"]
const [lower, upper] = latencyBounds

/** The table of the guide, by its column: users are promised what the suite holds each source to. */
function promisedTo(column: string): MetricsSourceUnderTest["promised"] {
  const rows = readFileSync("docs/guides/metrics.md", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()))
  const place = rows[0]?.indexOf(column) ?? -1
  return Object.fromEntries(
    troubles.map((trouble) => {
      const cell = rows.find((row) => row[1] === trouble)?.[place] ?? ""
      const found = /^(told|no data)/.exec(cell)?.[1]
      if (!found) throw new Error(`the guide does not say what ${column} does with ${trouble}: "${cell}"`)
      return [trouble, found]
    }),
  ) as MetricsSourceUnderTest["promised"]
}

type World = {
  at: number
  instances: Readonly<Record<string, Shown>>
  trouble: Trouble | undefined
}

/** A system outside that answers as the suite wants it to. */
async function outside(
  type: string,
  answer: (world: World, path: string, body: string) => string | undefined,
): Promise<Pick<MetricsSourceUnderTest, "show" | "close"> & { readonly host: string }> {
  const world: World = { at: 0, instances: {}, trouble: undefined }
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    switch (world.trouble) {
      case "timeout":
        return
      case "500":
        response.writeHead(500, { "content-type": type }).end("oh no")
        return
      case "HTML":
        response.writeHead(200, { "content-type": "text/html" }).end("<html>please log in</html>")
        return
      case "40 MB":
        return flood(response, type)
    }
    const text = answer(world, request.url ?? "", body)
    response.writeHead(text === undefined ? 404 : 200, { "content-type": type }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    show(at, instances, trouble) {
      Object.assign(world, { at, instances, trouble })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ""
  for await (const part of request) body += String(part)
  return body
}

function flood(response: ServerResponse, type: string): void {
  response.writeHead(200, { "content-type": type })
  const part = "# \n".repeat(20_000)
  let left = 40_000_000
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= part.length
      if (!response.write(part)) break
    }
    if (left <= 0) response.end()
    else if (!response.destroyed) response.once("drain", more)
  }
  more()
}

const timeOf = ({ at, trouble }: World): number =>
  trouble === "stale" ? at - hour : trouble === "future" ? at + hour : at

async function scrapeUnderTest(): Promise<MetricsSourceUnderTest> {
  const { host, ...rest } = await outside("text/plain; version=0.0.4", (world, path) => {
    const id = path.split("/")[1] ?? ""
    const shown = world.instances[id]?.total
    if (!shown) return undefined
    if (world.trouble === "empty") return ""
    const time = world.trouble === "stale" || world.trouble === "future" ? ` ${timeOf(world)}` : ""
    const say = (name: string, value: number) =>
      `${world.trouble === "wrong labels" ? name.replaceAll("papi", "mapi") : name} ${world.trouble === "NaN" ? "NaN" : value}${time}`
    return [
      "# TYPE requests_total counter",
      say('requests_total{app="papi",code="200"}', shown.requests - shown.bad),
      ...(shown.bad > 0 ? [say('requests_total{app="papi",code="503"}', shown.bad)] : []),
      say('signups_total{app="papi"}', shown.signups),
      say('queue{app="papi"}', shown.queue),
      ...[0.01, 0.025, 0.05, 0.1, Number.POSITIVE_INFINITY].map((le) =>
        say(
          `took_seconds_bucket{app="papi",le="${Number.isFinite(le) ? le : "+Inf"}"}`,
          le * 1_000 >= latencyMs ? shown.answered : 0,
        ),
      ),
      "",
    ].join("\n")
  })
  const page = (query: string) => ({ type: "scrape" as const, path: "/metrics", query })
  // They share one port: here an address ends in the instance's name.
  const addresses = Object.fromEntries(all.map((id) => [id, `${host}/${id}`]))
  return {
    ...rest,
    source: scrapeMetrics(limits),
    promised: promisedTo("scrape"),
    addresses,
    metrics: {
      gauge: page('queue{app="papi"}'),
      events: page('signups_total{app="papi"}'),
      "error-proportion": {
        ...page('requests_total{app="papi"}'),
        bad: 'requests_total{app="papi",code=~"5.."}',
      },
      "latency-quantile": page('took_seconds{app="papi"}'),
    },
  }
}

async function prometheusUnderTest(): Promise<MetricsSourceUnderTest> {
  const { host, ...rest } = await outside("application/json", (world, _path, body) => {
    const query = new URLSearchParams(body).get("query") ?? ""
    const meant = new RegExp(`^(?:${/instance=~"([^"]*)"/.exec(query)?.[1]})$`)
    const shown = Object.entries(world.instances).filter(([id]) => meant.test(id))
    const series = (value: number, metric: object = {}) => ({
      metric,
      values: [[timeOf(world) / 1_000, world.trouble === "NaN" ? "NaN" : String(value)]],
    })
    const each = (of: (shown: Shown) => number, metric: object = {}, some = shown) =>
      some.map(([id, one]) => series(of(one), { instance: `${id}:9090`, ...metric }))
    const sum = (of: (shown: Shown) => number) => shown.reduce((total, [, one]) => total + of(one), 0)
    const answer = () => {
      if (shown.length === 0 || world.trouble === "empty" || world.trouble === "wrong labels") return []
      if (query.startsWith("queue"))
        return shown.map(([id, { since }]) => series(since.queue, { instance: id }))
      if (query.includes("signups")) return [series(sum(({ since }) => since.signups))]
      // A series of bad ones is born with the first; `or vector(0)` has no labels.
      const born = shown.filter(([, { since }]) => since.bad > 0)
      if (query.includes("code")) return [...each(({ since }) => since.bad, {}, born), series(0)]
      if (query.includes("requests")) return each(({ since }) => since.requests)
      return [lower / 1_000, upper / 1_000, Number.POSITIVE_INFINITY].flatMap((le) =>
        each(({ since }) => (le * 1_000 >= latencyMs ? since.answered : 0), {
          le: Number.isFinite(le) ? String(le) : "+Inf",
        }),
      )
    }
    return JSON.stringify({ status: "success", data: { resultType: "matrix", result: answer() } })
  })
  const increase = (series: string) => `sum by (instance) (increase(${series}[\${window}]))`
  const asked = (query: string) => ({ type: "prometheus" as const, url: `http://${host}`, query })
  const mine = `instance="\${instance}"`
  return {
    ...rest,
    source: prometheusMetrics(limits),
    promised: promisedTo("prometheus"),
    addresses: {},
    metrics: {
      gauge: asked(`queue{${mine}}`),
      events: asked(increase(`signups_total{${mine}}`)),
      "error-proportion": {
        ...asked(increase(`requests_total{${mine}}`)),
        bad: `${increase(`requests_total{${mine},code=~"5.."}`)} or vector(0)`,
      },
      "latency-quantile": asked(`sum by (le, instance) (increase(took_seconds_bucket{${mine}}[\${window}]))`),
    },
  }
}

async function jsonUnderTest(): Promise<MetricsSourceUnderTest> {
  const { host, ...rest } = await outside("application/json", (world, path) => {
    const id = new URL(path, "http://x").searchParams.get("host") ?? ""
    const since = world.instances[id]?.since
    if (!since || world.trouble === "empty") return JSON.stringify({ data: [] })
    if (world.trouble === "wrong labels") return JSON.stringify({ data: [{ host: "another" }] })
    const nan = world.trouble === "NaN"
    const numbers = Object.fromEntries(Object.entries(since).map(([key, n]) => [key, nan ? "NaN" : n]))
    return JSON.stringify({ data: [{ ...numbers, at: timeOf(world) / 1_000 }] })
  })
  const asked = (query: string) => ({
    type: "json" as const,
    url: `http://${host}/v1?host=\${instance}&over=\${window}`,
    query: `data.0.${query}`,
    time: "data.0.at",
  })
  return {
    ...rest,
    source: jsonMetrics(limits),
    promised: promisedTo("json"),
    addresses: {},
    metrics: {
      gauge: asked("queue"),
      events: asked("signups"),
      "error-proportion": { ...asked("requests"), bad: "data.0.bad" },
    },
  }
}

/** Nobody is asked, so nobody can answer badly: what the API refuses does not arrive. */
async function pushUnderTest(): Promise<MetricsSourceUnderTest> {
  const { source, inbox } = pushMetrics()
  const arrives = new Set<Trouble | undefined>([undefined, "stale", "future", "wrong labels"])
  return {
    source,
    promised: promisedTo("push"),
    addresses: {},
    metrics: {
      gauge: { type: "push" },
      events: { type: "push" },
      "error-proportion": { type: "push" },
      "latency-quantile": { type: "push" },
    },
    show(at, instances, trouble) {
      if (!arrives.has(trouble)) return
      for (const [id, { since }] of Object.entries(instances)) {
        const tell = (metric: string, told: Told) => ({
          instance: trouble === "wrong labels" ? "papi-r3-1" : id,
          metric,
          at: timeOf({ at, instances, trouble }),
          told,
        })
        const latencies = new Array<number>(since.answered).fill(latencyMs)
        const told = [
          tell("its_gauge", { kind: "gauge", value: since.queue }),
          tell("its_events", { kind: "events", events: since.signups }),
          tell("its_error_proportion", { kind: "proportion", total: since.requests, bad: since.bad }),
          tell("its_latency_quantile", { kind: "latencies", latencies }),
        ]
        inbox.accept("papi", told, at)
      }
    },
    close: async () => undefined,
  }
}

metricsSourceContract("the scrape of the instances' pages", scrapeUnderTest)
metricsSourceContract("Prometheus", prometheusUnderTest)
metricsSourceContract("a JSON answer", jsonUnderTest)
metricsSourceContract("what instances push", pushUnderTest)
