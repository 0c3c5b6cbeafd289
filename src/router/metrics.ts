import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Crew } from "./crew.ts"
import type { SparseHistogram } from "./histogram.ts"
import { formatAddress, parseAddress } from "./read-table.ts"
import type { Stats } from "./stats.ts"

/** Upper edges in seconds. */
const edges = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Answers `GET /metrics` at an address. What is told apart is bounded by the table: no paths, no users.
 * Returns the address with the port that it got. It does not keep the process alive. */
export function serveMetrics(address: string, crew: Crew): Promise<string> {
  const at = parseAddress(address)
  if (!at) throw new Error(`${address} is not an address such as 127.0.0.1:9100`)
  const server = createServer((request, response) => {
    if (request.url !== "/metrics") {
      response.writeHead(404).end("there is GET /metrics\n")
      return
    }
    crew.stats().then(
      (stats) => {
        response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
        response.end(asPrometheus(stats))
      },
      () => response.writeHead(500).end("the counts cannot be read\n"),
    )
  })
  server.unref()
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(at, () => {
      const { port } = server.address() as AddressInfo
      resolve(formatAddress({ host: at.host, port }))
    })
  })
}

/** All counts in the text format of Prometheus. */
export function asPrometheus({ routes }: Stats): string {
  const text = new Families()
  for (const [route, { pools, own, fellBack, mirror }] of Object.entries(routes)) {
    for (const [pool, instances] of Object.entries(pools)) {
      for (const [instance, counted] of Object.entries(instances)) {
        const labels = { route, pool, instance }
        text.add("immunity_router_requests_total", "counter", labels, counted.requests)
        for (const [status, count] of Object.entries(counted.status))
          text.add("immunity_router_answers_total", "counter", { ...labels, class: status }, count)
        for (const [error, count] of Object.entries(counted.errors))
          text.add("immunity_router_errors_total", "counter", { ...labels, error }, count)
        text.add("immunity_router_aborted_total", "counter", labels, counted.aborted)
        text.add("immunity_router_replayed_total", "counter", labels, counted.replayed)
        text.add("immunity_router_in_flight", "gauge", labels, counted.inFlight)
        text.addHistogram("immunity_router_latency_seconds", labels, counted.histogram)
      }
    }
    for (const [reason, count] of Object.entries(own))
      text.add("immunity_router_own_answers_total", "counter", { route, reason }, count)
    for (const [pool, count] of Object.entries(fellBack))
      text.add("immunity_router_fallbacks_total", "counter", { route, pool }, count)
    if (!mirror) continue
    const labels = { route, to: mirror.to }
    for (const kind of ["sent", "dropped", "failed"] as const)
      text.add("immunity_router_mirrored_total", "counter", { ...labels, kind }, mirror[kind])
  }
  return text.toString()
}

type Labels = Readonly<Record<string, string>>

/** Lines of one name stand together, whatever order they came in. */
class Families {
  readonly #lines = new Map<string, string[]>()

  add(name: string, type: "counter" | "gauge", labels: Labels, value: number): void {
    this.#family(name, type).push(`${name}${written(labels)} ${value}`)
  }

  addHistogram(name: string, labels: Labels, histogram: SparseHistogram): void {
    const lines = this.#family(name, "histogram")
    const total = histogram.reduce((sum, [, count]) => sum + count, 0)
    const sum = histogram.reduce(
      (all, [bucket, count]) => all + count * (2 ** ((bucket + 0.5) / 32) / 1_000),
      0,
    )
    for (const edge of edges) {
      // A bucket that reaches beyond the edge is not below it yet.
      const below = histogram.reduce(
        (all, [bucket, count]) => (2 ** ((bucket + 1) / 32) / 1_000 <= edge ? all + count : all),
        0,
      )
      lines.push(`${name}_bucket${written({ ...labels, le: String(edge) })} ${below}`)
    }
    lines.push(`${name}_bucket${written({ ...labels, le: "+Inf" })} ${total}`)
    lines.push(`${name}_sum${written(labels)} ${sum}`, `${name}_count${written(labels)} ${total}`)
  }

  toString(): string {
    return [...this.#lines.values()].map((lines) => `${lines.join("\n")}\n`).join("")
  }

  #family(name: string, type: string): string[] {
    const known = this.#lines.get(name)
    if (known) return known
    const fresh = [`# TYPE ${name} ${type}`]
    this.#lines.set(name, fresh)
    return fresh
  }
}

const written = (labels: Labels): string =>
  `{${Object.entries(labels)
    .map(
      ([name, value]) =>
        `${name}="${value.replace(/["\\\n]/g, (sign) => (sign === "\n" ? "\\n" : `\\${sign}`))}"`,
    )
    .join(",")}}`
