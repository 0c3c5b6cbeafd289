import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { MetricQuestion } from "../../ports/metrics.ts"
import { prometheusMetrics } from "./prometheus.ts"

const installed = spawnSync("prometheus", ["--version"]).status === 0
if (!installed)
  console.warn("SKIPPED: prometheus is not installed (apt-get install prometheus); no real one was asked.")

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}

describe.skipIf(!installed)("a real Prometheus", () => {
  const folder = mkdtempSync(join(tmpdir(), "immunity-prometheus-"))
  const samples = [
    'memory_bytes{instance="papi-7-1"} 100',
    'memory_bytes{instance="papi-7-2"} 200',
    'memory_bytes{instance="papi-70-1"} 999',
    'not_a_number{instance="papi-7-1"} NaN',
  ]
  const begun = Date.now()
  /** Ten a second, of which one is bad; all of them take 40 ms. */
  const counters = () => {
    const count = Math.floor((Date.now() - begun) / 100)
    return ["papi-7-1", "papi-7-2"].flatMap((id) => [
      `requests_total{instance="${id}",code="200"} ${count - Math.floor(count / 10)}`,
      `requests_total{instance="${id}",code="500"} ${Math.floor(count / 10)}`,
      `took_seconds_bucket{instance="${id}",le="0.025"} 0`,
      `took_seconds_bucket{instance="${id}",le="0.05"} ${count}`,
      `took_seconds_bucket{instance="${id}",le="+Inf"} ${count}`,
    ])
  }
  const exporter = createServer((_, response) => {
    const lines = [...samples, ...counters()]
    response.writeHead(200, { "content-type": "text/plain" }).end(`${lines.join("\n")}\n`)
  })
  let prometheus: ChildProcess | undefined
  let url = ""

  beforeAll(async () => {
    const target = await listening(exporter)
    const free = createServer()
    const port = await listening(free)
    await new Promise((resolve) => free.close(resolve))
    url = `http://127.0.0.1:${port}`
    const config = join(folder, "prometheus.yml")
    writeFileSync(
      config,
      `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: papi
    honor_labels: true
    static_configs: [{ targets: ["127.0.0.1:${target}"] }]
`,
    )
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`]
    prometheus = spawn("prometheus", [...args, `--web.listen-address=127.0.0.1:${port}`], { stdio: "ignore" })
  })
  afterAll(async () => {
    exporter.close()
    exporter.closeAllConnections()
    if (prometheus) {
      const ended = new Promise((resolve) => prometheus?.once("exit", resolve))
      prometheus.kill("SIGKILL")
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (
    query: string,
    instances: readonly string[],
    more: { kind?: MetricQuestion["metric"]["kind"]; bad?: string; interval?: number } = {},
  ) => {
    const to = Date.now()
    const question: MetricQuestion = {
      app: "papi",
      addresses: {},
      metric: {
        name: "memory",
        source: { type: "prometheus", url, query, bad: more.bad },
        kind: more.kind ?? "gauge",
        worse: "up",
        critical: false,
        tolerateRatio: 0,
        tolerateDelta: 0,
      },
      cohort: { route: "papi/prod", pool: "r7", mirrored: false, instances },
      from: to - (more.interval ?? 5_000),
      to,
    }
    return prometheusMetrics().observe(question, new AbortController().signal)
  }
  const sorted = async (asked: ReturnType<typeof ask>): Promise<readonly number[] | undefined> => {
    const seen = await asked
    return seen?.kind === "gauge" ? seen.values.toSorted((a, b) => a - b) : undefined
  }

  it("is asked for exactly the instances of a cohort", async () => {
    const query = `memory_bytes{instance="\${instance}"}`
    await expect
      .poll(() => sorted(ask(query, ["papi-7-1", "papi-7-2"])).catch(() => undefined), {
        timeout: 30_000,
        interval: 250,
      })
      .toEqual([100, 200])
    expect(await sorted(ask(query, ["papi-7-1"]))).toEqual([100])
    expect(await sorted(ask(query, ["papi-8-1"]))).toBeUndefined()
    expect(
      await sorted(
        ask(`count_over_time(memory_bytes{instance="\${instance}"}[\${window}]) > bool 0`, ["papi-7-1"]),
      ),
    ).toEqual([1])
  })

  it("counts requests, events and buckets of an interval, and tells no bad ones from no such series", async () => {
    const both = ["papi-7-1", "papi-7-2"]
    const increase = (series: string) => `sum(increase(${series}[\${window}]))`
    const mine = `instance="\${instance}"`
    const all = increase(`requests_total{${mine}}`)
    const counted = async (kind: MetricQuestion["metric"]["kind"], query: string, bad?: string) =>
      ask(query, both, { kind, interval: 6_000, ...(bad === undefined ? {} : { bad }) })
    // Prometheus must have seen the whole interval; then it is 120 requests, give or take a scrape at each end.
    await expect
      .poll(async () => (await counted("events", all).catch(() => undefined)) as { events?: number }, {
        timeout: 30_000,
        interval: 500,
      })
      .toMatchObject({
        kind: "events",
        exposure: 12,
        events: expect.toSatisfy((n: number) => n > 80 && n < 160),
      })
    const bad = await counted("error-proportion", all, increase(`requests_total{${mine},code=~"5.."}`))
    if (bad?.kind !== "proportion") throw new Error(`${JSON.stringify(bad)} is no proportion`)
    expect(bad.bad / bad.total).toBeGreaterThan(0.05)
    expect(bad.bad / bad.total).toBeLessThan(0.2)
    const unborn = increase(`requests_total{${mine},code="418"}`)
    expect(await counted("error-proportion", all, unborn)).toBeUndefined()
    expect(await counted("error-proportion", all, `${unborn} or vector(0)`)).toMatchObject({ bad: 0 })
    const took = `sum by (le) (increase(took_seconds_bucket{${mine}}[\${window}]))`
    const latency = await counted("latency-quantile", took)
    if (latency?.kind !== "histogram") throw new Error(`${JSON.stringify(latency)} is no histogram`)
    expect(latency.buckets.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(80)
    for (const [bucket] of latency.buckets) {
      expect(2 ** (bucket / 32)).toBeGreaterThan(24)
      expect(2 ** ((bucket + 1) / 32)).toBeLessThan(51.5)
    }
    await expect(counted("latency-quantile", all)).rejects.toThrow(/ask for sum by \(le\)/)
  })

  it("has no data where there is not a number, and says what is wrong with a query", async () => {
    expect(await ask(`not_a_number{instance="\${instance}"}`, ["papi-7-1"])).toBeUndefined()
    await expect(ask("sum(", ["papi-7-1"])).rejects.toThrow(/it answered 400: .*parse error/)
  })

  it("has no data soon after its target died, long before its own five minutes", async () => {
    exporter.close()
    exporter.closeAllConnections()
    await expect
      .poll(() => ask(`memory_bytes{instance="\${instance}"}`, ["papi-7-1"]), {
        timeout: 30_000,
        interval: 250,
      })
      .toBeUndefined()
  })
})
