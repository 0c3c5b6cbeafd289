import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from "node:http"
import { type AddressInfo, connect, createServer as createRawServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { CountersJson } from "./counters.ts"
import type { Limits } from "./limits.ts"
import { type RunningRouter, type StartRouter, startRouter } from "./main.ts"
import type { MirrorStats } from "./stats.ts"
import type { Fence, PoolTable, RouteTable } from "./table.ts"

export type Told = { readonly status: number; readonly body: unknown }

export type SeenState = {
  readonly pid: number
  readonly apps: Readonly<Record<string, Fence & { readonly routes: readonly RouteTable[] }>>
  readonly listeners: Readonly<Record<string, string>>
  readonly instances: Readonly<
    Record<string, { readonly inFlight: number; readonly ejected: boolean; readonly failing: boolean }>
  >
  readonly tombstones: readonly string[]
  readonly degraded?: string
}

export type SeenStats = {
  readonly boot: string
  readonly routes: Readonly<
    Record<
      string,
      {
        readonly pools: Readonly<Record<string, Readonly<Record<string, CountersJson>>>>
        readonly own: Readonly<Record<string, number>>
        readonly fellBack: Readonly<Record<string, number>>
        readonly mirror?: MirrorStats
      }
    >
  >
}

export type Answered = {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** Waits until it is so, however slow the machine is. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`waited 120 s in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** JSON over a unix socket. */
export function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk
      })
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }))
    })
    asked.on("error", reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Things that a test started, ended in reverse order. */
export class Cleanup {
  readonly #ends: (() => unknown)[] = []

  add(end: () => unknown): void {
    this.#ends.push(end)
  }

  async run(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
  }
}

/** What a test may start a router with beside its limits. */
type More = Pick<StartRouter, "workers" | "tls" | "deadMan">

export class TestRouter {
  readonly dir: string
  readonly #limits: Partial<Limits>
  readonly #more: More
  #running: RunningRouter | undefined
  #generation = 0
  readonly log: string[] = []

  private constructor(dir: string, limits: Partial<Limits>, more: More) {
    this.dir = dir
    this.#more = more
    this.#limits = limits
  }

  static async open(cleanup: Cleanup, limits: Partial<Limits> = {}, more: More = {}): Promise<TestRouter> {
    const dir = await mkdtemp(join(tmpdir(), "router-"))
    const router = new TestRouter(dir, { tick: 25, ...limits }, more)
    cleanup.add(async () => {
      await router.kill()
      await rm(dir, { recursive: true, force: true })
    })
    await router.start()
    return router
  }

  async start(): Promise<void> {
    this.#running = await startRouter({
      ...this.#more,
      dir: this.dir,
      limits: this.#limits,
      log: (_level, message, more) => this.log.push(`${message} ${JSON.stringify(more ?? {})}`),
    })
  }

  async kill(): Promise<void> {
    await this.#running?.kill()
    this.#running = undefined
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  control(method: string, path: string, body?: unknown): Promise<Told> {
    return ask(join(this.dir, "control.sock"), method, path, body)
  }

  /** The next table of the application; throws unless it is applied. */
  async route(...routes: readonly RouteTable[]): Promise<void> {
    this.#generation += 1
    const order = { app: "papi", epoch: 1, generation: this.#generation, routes }
    const told = await this.control("PUT", "/table", order)
    if (told.status !== 200) throw new Error(JSON.stringify(told.body))
  }

  async release(instance: string, deadlineMs?: number): Promise<Told> {
    const order = { app: "papi", epoch: 1, generation: this.#generation, instance, deadlineMs }
    return this.control("POST", "/release", order)
  }

  async state(): Promise<SeenState> {
    return (await this.control("GET", "/state")).body as SeenState
  }

  async stats(): Promise<SeenStats> {
    return (await ask(join(this.dir, "stats.sock"), "GET", "/stats")).body as SeenStats
  }

  /** The counters of one instance; throws when there are none. */
  async counted(pool: string, instance: string, route = "papi/prod"): Promise<CountersJson> {
    const found = (await this.stats()).routes[route]?.pools[pool]?.[instance]
    if (!found) throw new Error(`${instance} of ${pool} in ${route} is not counted`)
    return found
  }

  async mirrored(route = "papi/prod"): Promise<MirrorStats> {
    const found = (await this.stats()).routes[route]?.mirror
    if (!found) throw new Error(`${route} counts no mirror`)
    return found
  }

  async address(route = "papi/prod"): Promise<string> {
    const found = (await this.state()).listeners[route]
    if (!found) throw new Error(`${route} listens nowhere`)
    return found
  }
}

/** A router whose users all go to one pool, `r1`, of these instances: `r1-0`, `r1-1`. */
export async function inFrontOf(
  cleanup: Cleanup,
  instances: readonly { readonly address: string }[],
  limits: Partial<Limits> = {},
  more: More = {},
): Promise<{ readonly router: TestRouter; readonly address: string }> {
  const router = await TestRouter.open(cleanup, limits, more)
  await router.route(routeTo([pool("r1", 100, ...instances)]))
  return { router, address: await router.address() }
}

export type TestInstance = {
  readonly address: string
  /** Requests that reached it. */
  readonly seen: IncomingMessage[]
  /** Connections that were opened to it. */
  readonly opened: () => number
  readonly close: () => Promise<void>
}

/** An instance on a port of its own. */
export async function instance(cleanup: Cleanup, answer: RequestListener): Promise<TestInstance> {
  const seen: IncomingMessage[] = []
  let opened = 0
  const server = createServer((asked, response) => {
    seen.push(asked)
    answer(asked, response)
  })
  server.keepAliveTimeout = 60_000
  server.on("connection", () => {
    opened += 1
  })
  const close = () => end(server)
  cleanup.add(close)
  return { address: await listening(server), seen, opened: () => opened, close }
}

/** An instance that says its name. */
export const named = (cleanup: Cleanup, name: string): Promise<TestInstance> =>
  instance(cleanup, (_, response) => response.end(name))

/** An instance that speaks bytes: what it does with a connection is up to the test. */
export async function rawInstance(
  cleanup: Cleanup,
  serve: (socket: Socket) => void,
): Promise<{ readonly address: string; readonly close: () => Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createRawServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
    serve(socket)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  cleanup.add(close)
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

/** An instance that answers every request head with the same bytes. */
export const canned = (cleanup: Cleanup, answer: string, andEnd = false) =>
  rawInstance(cleanup, (socket) => {
    socket.on("data", (chunk) => {
      if (chunk.includes("\r\n\r\n")) socket.write(answer, "latin1")
      if (andEnd) socket.end()
    })
    socket.on("end", () => socket.end())
  })

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const end = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/** An address at which nobody listens. */
export async function nobody(): Promise<string> {
  const server = createServer()
  const address = await listening(server)
  await end(server)
  return address
}

type Asked = {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** One request on a connection of its own. Rejects when the answer is broken. */
export function fetchFrom(address: string, asked: Asked = {}): Promise<Answered> {
  const [host, port] = address.split(":")
  const { method = "GET", path = "/", headers = {}, body } = asked
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, method, path, headers, agent: false }, (answer) => {
      let text = ""
      answer.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk
      })
      answer.on("error", reject)
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }))
    })
    outgoing.on("error", reject)
    outgoing.end(body)
  })
}

export type RawClient = {
  readonly socket: Socket
  /** All that came back so far. */
  readonly text: () => string
  /** `ended` calmly, or `broken` by a reset. */
  readonly over: Promise<"ended" | "broken">
}

/** A client that speaks bytes. */
export function rawClient(cleanup: Cleanup, address: string, send = ""): RawClient {
  const [host, port] = address.split(":")
  let text = ""
  let ended = false
  const socket = connect({ host: host ?? "", port: Number(port), allowHalfOpen: true })
  cleanup.add(() => socket.destroy())
  socket.setEncoding("latin1")
  socket.on("data", (chunk) => {
    text += String(chunk)
  })
  const over = new Promise<"ended" | "broken">((resolve) => {
    socket.on("end", () => {
      ended = true
      socket.end()
      resolve("ended")
    })
    socket.on("error", () => resolve("broken"))
    socket.on("close", () => resolve(ended ? "ended" : "broken"))
  })
  if (send !== "") socket.write(send, "latin1")
  return { socket, text: () => text, over }
}

/** A route with sensible defaults. */
export function routeTo(pools: readonly PoolTable[], more: Partial<RouteTable> = {}): RouteTable {
  return {
    route: "papi/prod",
    listen: "127.0.0.1:0",
    salt: "s",
    sticky: { by: "none" },
    pools,
    stable: null,
    ...more,
  }
}

/** A pool of instances named after it: `r1-0`, `r1-1`. */
export const pool = (
  name: string,
  weight: number,
  ...instances: readonly { readonly address: string }[]
): PoolTable => ({
  pool: name,
  weight,
  instances: instances.map(({ address }, at) => ({ id: `${name}-${at}`, address })),
})
