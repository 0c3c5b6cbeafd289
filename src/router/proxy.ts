import { randomUUID } from "node:crypto"
import { request as ask, type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { Counters } from "./counters.ts"
import { passedOn, towardsInstance } from "./headers.ts"
import { copyToMirror } from "./mirror.ts"
import { chooseInstance, choosePool, EvenSpread, position } from "./selection.ts"
import type { Instance, Pool, RouteTable } from "./table.ts"
import type { Upstreams } from "./upstreams.ts"

export type ProxyParts = {
  /** The table as it is now: read anew for each request and each retry. */
  readonly route: (name: string) => RouteTable | undefined
  readonly counters: Counters
  readonly upstreams: Upstreams
}

const mostRetries = 2
const answerWithin = 60_000
const spread = new EvenSpread()

type Target = { readonly pool: Pool; readonly instance: Instance; readonly cookie: string | undefined }

/** Carries one request to one instance and its answer back. */
export function carry(
  parts: ProxyParts,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const route = parts.route(name)
  if (!route) return own(response, 503, "no-route")
  const mirrored = route.mirror && copyToMirror(parts, route, request)
  attempt(parts, name, request, response, new Set(), mirrored)
}

type Mirrored = ((status: number | undefined, ms: number) => void) | undefined

function attempt(
  parts: ProxyParts,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  tried: Set<string>,
  mirrored: Mirrored,
): void {
  const route = parts.route(name)
  const target = route && pick(parts, route, request, tried)
  if (!route || !target) return own(response, 503, "no-instance")
  const { instance, pool, cookie } = target
  const tally = parts.counters.of(name, pool.pool, instance.id)
  const [host, port] = instance.address.split(":")
  const began = performance.now()
  let settled = false
  let upstream: ClientRequest | undefined
  const leave = parts.upstreams.enter(instance.id, () => {
    upstream?.destroy()
    response.destroy()
  })
  upstream = ask({
    host,
    port,
    method: request.method,
    path: request.url,
    headers: towardsInstance(request),
    agent: parts.upstreams.agent(instance.id),
    setHost: false,
  })
  const timer = setTimeout(() => upstream?.destroy(new Error("timeout")), answerWithin)

  upstream.on("response", (answer) => {
    clearTimeout(timer)
    settled = true
    parts.upstreams.connected(instance.id)
    const ms = performance.now() - began
    const status = answer.statusCode ?? 502
    tally.answered(status, ms)
    mirrored?.(status, ms)
    const headers = passedOn(answer)
    if (cookie !== undefined) headers.push("Set-Cookie", cookie)
    response.writeHead(status, answer.statusMessage, headers)
    answer.pipe(response)
    // A broken answer must look broken, never like a short good one.
    answer.on("error", () => response.destroy())
    answer.on("aborted", () => response.destroy())
    answer.on("close", leave)
    response.on("close", () => {
      if (!answer.complete) upstream?.destroy()
      leave()
    })
  })
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    clearTimeout(timer)
    leave()
    if (settled) return
    settled = true
    if (response.destroyed && !response.writableEnded) return
    const connect =
      error.code === "ECONNREFUSED" || error.code === "EHOSTUNREACH" || error.code === "EADDRNOTAVAIL"
    if (connect) parts.upstreams.refused(instance.id)
    const again =
      !hasBody(request) && (connect || upstream?.reusedSocket === true) && tried.size < mostRetries
    if (again) {
      attempt(parts, name, request, response, tried.add(instance.id), mirrored)
      return
    }
    const how = connect ? "connect" : error.message === "timeout" ? "timeout" : "reset"
    tally.failed(how)
    mirrored?.(undefined, performance.now() - began)
    own(response, how === "timeout" ? 504 : 502, how, pool.pool)
  })
  response.on("close", () => {
    // The client went away: not the instance's fault, and not its work any more.
    if (!settled) {
      settled = true
      clearTimeout(timer)
      upstream?.destroy()
      leave()
    }
  })
  if (hasBody(request)) request.pipe(upstream)
  else upstream.end()
}

const hasBody = (request: IncomingMessage): boolean =>
  request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0

/** The pool by the user or by share, then an instance; users of the stable pool never fall to a canary. */
function pick(
  parts: ProxyParts,
  route: RouteTable,
  request: IncomingMessage,
  tried: ReadonlySet<string>,
): Target | undefined {
  const { point, cookie } = userPoint(route, request)
  const chosen = choosePool(route, point)
  const stable = route.pools.find((pool) => pool.pool === route.stable)
  for (const pool of [chosen, stable]) {
    if (!pool) continue
    const instance = chooseInstance(pool, parts.upstreams.inFlight, parts.upstreams.usable, tried)
    if (instance) return { pool, instance, cookie }
  }
  return undefined
}

function userPoint(
  route: RouteTable,
  request: IncomingMessage,
): { readonly point: number; readonly cookie: string | undefined } {
  const { by, name = "" } = route.sticky
  if (by === "address")
    return { point: position(route.salt, request.socket.remoteAddress ?? ""), cookie: undefined }
  if (by === "header") {
    const key = request.headers[name.toLowerCase()]
    return key === undefined
      ? { point: spread.next(), cookie: undefined }
      : { point: position(route.salt, String(key)), cookie: undefined }
  }
  if (by === "cookie") {
    const found = (request.headers.cookie ?? "").split(/;\s*/).find((pair) => pair.startsWith(`${name}=`))
    if (found) return { point: position(route.salt, found.slice(name.length + 1)), cookie: undefined }
    const fresh = randomUUID()
    return {
      point: position(route.salt, fresh),
      cookie: `${name}=${fresh}; Path=/; SameSite=Lax; HttpOnly; Max-Age=2592000`,
    }
  }
  return { point: spread.next(), cookie: undefined }
}

/** An answer of the router itself; the mark tells it from an instance's. */
function own(response: ServerResponse, status: number, reason: string, pool?: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const headers: Record<string, string> = { "content-type": "text/plain", "x-immunity-router": reason }
  if (status === 503) headers["retry-after"] = "1"
  if (pool !== undefined) headers["x-immunity-pool"] = pool
  response.writeHead(status, headers)
  response.end(`${reason}\n`)
}

/** Carries an upgraded connection, both ways, until either side ends it. */
export function carryUpgrade(
  parts: ProxyParts,
  name: string,
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
): void {
  const route = parts.route(name)
  const target = route && pick(parts, route, request, new Set())
  if (!target) {
    client.end(
      "HTTP/1.1 503 Service Unavailable\r\nx-immunity-router: no-instance\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
    return
  }
  const { instance, pool } = target
  const tally = parts.counters.of(name, pool.pool, instance.id)
  const [host, port] = instance.address.split(":")
  const began = performance.now()
  const headers = [
    ...towardsInstance(request),
    "Connection",
    "Upgrade",
    "Upgrade",
    request.headers.upgrade ?? "",
  ]
  const upstream = ask({
    host,
    port,
    method: request.method,
    path: request.url,
    headers,
    setHost: false,
    agent: false,
  })
  const leave = parts.upstreams.enter(instance.id, () => {
    upstream.destroy()
    client.destroy()
  })
  client.on("error", () => upstream.destroy())
  client.on("close", leave)
  upstream.on("upgrade", (answer, socket, early) => {
    tally.answered(101, performance.now() - began)
    client.write(
      headOf(answer, [...passedOn(answer), "Connection", "Upgrade", "Upgrade", answer.headers.upgrade ?? ""]),
    )
    if (early.length > 0) client.write(early)
    if (head.length > 0) socket.write(head)
    socket.on("error", () => client.destroy())
    client.on("close", () => socket.destroy())
    socket.pipe(client)
    client.pipe(socket)
  })
  upstream.on("response", (answer) => {
    tally.answered(answer.statusCode ?? 502, performance.now() - began)
    client.write(headOf(answer, [...passedOn(answer), "Connection", "close"]))
    answer.pipe(client)
  })
  upstream.on("error", () => {
    tally.failed("reset")
    client.end(
      "HTTP/1.1 502 Bad Gateway\r\nx-immunity-router: reset\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
  })
  upstream.end()
}

function headOf(answer: IncomingMessage, headers: readonly string[]): string {
  const fields: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2) fields.push(`${headers[i]}: ${headers[i + 1]}\r\n`)
  return `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${fields.join("")}\r\n`
}
