import { request as ask, type IncomingMessage } from "node:http"
import type { Counters } from "./counters.ts"
import { towardsMirror } from "./headers.ts"
import { chooseInstance } from "./selection.ts"
import type { RouteTable } from "./table.ts"
import type { Upstreams } from "./upstreams.ts"

const mostInFlight = 64
let inFlight = 0

/**
 * Copies a read-only request to another route; the copy is dropped rather than queued and its answer thrown
 * away. Returns what the primary's answer is told to, so that both sides count the same requests.
 */
export function copyToMirror(
  parts: {
    readonly route: (name: string) => RouteTable | undefined
    readonly counters: Counters
    readonly upstreams: Upstreams
  },
  route: RouteTable,
  request: IncomingMessage,
): ((status: number | undefined, ms: number) => void) | undefined {
  const { mirror } = route
  if (!mirror || (request.method !== "GET" && request.method !== "HEAD")) return undefined
  if (request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined)
    return undefined
  if (Math.random() >= mirror.sample) return undefined
  const pool = parts.route(mirror.to)?.pools[0]
  const instance = pool && chooseInstance(pool, parts.upstreams.inFlight, parts.upstreams.usable, new Set())
  const tally = parts.counters.mirror(route.route, mirror.to)
  if (!instance || inFlight >= mostInFlight) {
    tally.dropped++
    return undefined
  }
  const [host, port] = instance.address.split(":")
  const began = performance.now()
  let counted = false
  const count = (how: () => void) => {
    if (counted) return
    counted = true
    inFlight--
    leave()
    how()
  }
  inFlight++
  tally.sent++
  const copy = ask({
    host,
    port,
    method: request.method,
    path: request.url,
    headers: towardsMirror(request),
    agent: parts.upstreams.agent(instance.id),
    setHost: false,
    timeout: mirror.timeout,
  })
  const leave = parts.upstreams.enter(instance.id, () => copy.destroy())
  copy.on("response", (answer) => {
    const ms = performance.now() - began
    answer.resume()
    answer.on("end", () => count(() => tally.candidate.answered(answer.statusCode ?? 500, ms)))
    answer.on("error", () => count(() => tally.candidate.failed("reset")))
    answer.on("close", () => count(() => tally.candidate.failed("reset")))
  })
  copy.on("timeout", () => copy.destroy(new Error("timeout")))
  copy.on("error", (error) =>
    count(() => tally.candidate.failed(error.message === "timeout" ? "timeout" : "connect")),
  )
  copy.end()
  return (status, ms) =>
    status === undefined ? tally.primary.failed("reset") : tally.primary.answered(status, ms)
}
