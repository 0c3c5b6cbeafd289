import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, expect, it } from "vitest"
import type { MetricPolicy } from "../../core/model/policy.ts"
import { scrapeMetrics } from "./scrape.ts"

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

/** An instance whose page shows this; counts how often it was asked. */
async function instance(
  page: () => string,
): Promise<{ readonly address: string; readonly asked: () => number }> {
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.writeHead(200, { "content-type": "text/plain" }).end(page())
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

const start = 1_700_000_000_000
const metric = (kind: MetricPolicy["kind"], query: string, bad?: string): MetricPolicy => ({
  name: `${kind} ${query}`,
  kind,
  source: { type: "scrape", path: "/metrics", query, bad },
  worse: "up",
  critical: false,
  tolerateRatio: 0.2,
  tolerateDelta: 0,
})
const ask = (
  source: ReturnType<typeof scrapeMetrics>,
  asked: MetricPolicy,
  addresses: Record<string, string>,
  look: number,
) =>
  source.observe(
    {
      app: "papi",
      metric: asked,
      cohort: { route: "papi/prod", pool: "r7", mirrored: false, instances: Object.keys(addresses) },
      addresses,
      from: start + (look - 1) * 5_000,
      to: start + look * 5_000,
    },
    new AbortController().signal,
  )

it("reads a page once a look, however many metrics stand on it", async () => {
  const { address, asked } = await instance(() => "queue 3\nmemory 5\n")
  const source = scrapeMetrics()
  const seen = ["queue", "memory"].map((query) => ask(source, metric("gauge", query), { a: address }, 1))
  expect(await Promise.all(seen)).toMatchObject([
    { kind: "gauge", values: [3] },
    { kind: "gauge", values: [5] },
  ])
  expect(asked()).toBe(1)
  await ask(source, metric("gauge", "queue"), { a: address }, 2)
  expect(asked()).toBe(2)
})

it("does not count what grew while nobody looked for long", async () => {
  let total = 10
  const { address } = await instance(() => `signups_total ${total}\n`)
  const source = scrapeMetrics()
  const look = (n: number) => ask(source, metric("events", "signups_total"), { a: address }, n)
  expect(await look(1)).toBeUndefined()
  total = 1_000
  expect(await look(9)).toBeUndefined()
  total = 1_003
  expect(await look(10)).toEqual({ kind: "events", events: 3, exposure: 5 })
})

it("says which label no series has, instead of counting no bad ones", async () => {
  const { address } = await instance(() => 'requests_total{status="200"} 9\n')
  const asked = metric("error-proportion", "requests_total", 'requests_total{code=~"5.."}')
  await expect(ask(scrapeMetrics(), asked, { a: address }, 1)).rejects.toThrow(
    "/metrics of a gave no error-proportion requests_total: no series of requests_total has a label code",
  )
})

it("says when bad ones are not some of all", async () => {
  let n = 0
  const { address } = await instance(() => `requests_total ${n}\nerrors_total ${2 * n}\n`)
  const source = scrapeMetrics()
  const asked = metric("error-proportion", "requests_total", "errors_total")
  expect(await ask(source, asked, { a: address }, 1)).toBeUndefined()
  n = 5
  await expect(ask(source, asked, { a: address }, 2)).rejects.toThrow(/10 bad ones of 5/)
})
