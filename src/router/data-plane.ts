import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Counters } from "./counters.ts"
import { carry, carryUpgrade } from "./proxy.ts"
import { saveState } from "./state-file.ts"
import { type AppTable, allRoutes, type RouteTable, type State, tableProblem } from "./table.ts"
import { Upstreams } from "./upstreams.ts"

export type Refused = { readonly code: "stale" | "invalid" | "address-in-use"; readonly because: string }
export type Answer = { readonly ok: true } | { readonly refused: Refused }

const mostReleased = 20_000

/** The routes, their listeners and what flows through them. */
export class DataPlane {
  readonly counters = new Counters()
  readonly upstreams = new Upstreams()
  readonly #dir: string
  readonly #listeners = new Map<
    string,
    { readonly server: Server; readonly address: string; readonly asked: string }
  >()
  #state: State
  #routes = new Map<string, RouteTable>()
  #released: Set<string>
  #turn: Promise<unknown> = Promise.resolve()

  constructor(dir: string, state: State) {
    this.#dir = dir
    this.#state = state
    this.#released = new Set(state.released)
    this.#index()
  }

  get state(): State {
    return this.#state
  }

  listeners(): Record<string, string> {
    return Object.fromEntries([...this.#listeners].map(([route, { address }]) => [route, address]))
  }

  /** Opens what the remembered table wants; what cannot be opened is told and tried again with the next push. */
  async boot(): Promise<readonly string[]> {
    const problems: string[] = []
    for (const route of allRoutes(this.#state)) {
      await this.#open(route).catch((error: Error) => problems.push(`${route.route}: ${error.message}`))
    }
    return problems
  }

  fence(app: string, epoch: number): Promise<Answer> {
    return this.#inTurn(async () => {
      const known = this.#state.apps[app] ?? { epoch: 0, generation: 0, routes: [] }
      if (epoch < known.epoch) return stale(epoch, 0, known)
      if (epoch > known.epoch)
        this.#keep({
          ...this.#state,
          apps: { ...this.#state.apps, [app]: { ...known, epoch, generation: 0 } },
        })
      return { ok: true }
    })
  }

  /** Replaces one application's routes; true for every request that begins after the answer. */
  setRoutes(app: string, epoch: number, generation: number, routes: readonly RouteTable[]): Promise<Answer> {
    return this.#inTurn(async () => {
      const known = this.#state.apps[app]
      const same = known !== undefined && JSON.stringify(known.routes) === JSON.stringify(routes)
      if (known && (epoch < known.epoch || (epoch === known.epoch && generation < known.generation)))
        return stale(epoch, generation, known)
      if (known && epoch === known.epoch && generation === known.generation && !same)
        return stale(epoch, generation, known)
      const wrong = tableProblem(routes, this.#released)
      if (wrong) return { refused: { code: "invalid", because: wrong } }
      const opened: string[] = []
      try {
        for (const route of routes) if (await this.#open(route)) opened.push(route.route)
      } catch (error) {
        for (const name of opened) this.#close(name)
        return {
          refused: {
            code: "address-in-use",
            because: error instanceof Error ? error.message : String(error),
          },
        }
      }
      const next = { ...this.#state, apps: { ...this.#state.apps, [app]: { epoch, generation, routes } } }
      if (same && known.epoch === epoch) this.#state = next
      else this.#keep(next)
      this.#index()
      for (const name of [...this.#listeners.keys()]) if (!this.#routes.has(name)) this.#close(name)
      return { ok: true }
    })
  }

  /** The handshake before an instance is ended. */
  release(
    app: string,
    epoch: number,
    instance: string,
    drain: number,
  ): Promise<Answer | { readonly weight: number; readonly inFlight: number }> {
    return this.#inTurn(async () => {
      const known = this.#state.apps[app]
      if (known && epoch < known.epoch) return stale(epoch, 0, known)
      if (this.#released.has(instance)) return { ok: true }
      const weight = Math.max(0, ...this.#poolsOf(instance))
      const since = this.upstreams.zeroSince.get(instance) ?? performance.now()
      if (weight === 0) this.upstreams.zeroSince.set(instance, since)
      if (weight === 0 && this.upstreams.inFlight(instance) > 0 && performance.now() - since >= drain)
        this.upstreams.cutAll(instance)
      const inFlight = this.upstreams.inFlight(instance)
      if (weight > 0 || inFlight > 0) return { weight, inFlight }
      this.#released.add(instance)
      const apps = Object.fromEntries(
        Object.entries(this.#state.apps).map(([name, table]) => [name, withoutInstance(table, instance)]),
      )
      this.#keep({ ...this.#state, apps, released: [...this.#state.released, instance].slice(-mostReleased) })
      this.#index()
      this.upstreams.forget(instance)
      setTimeout(() => this.counters.forget(instance), 60_000).unref()
      return { ok: true }
    })
  }

  /** Stops taking requests and waits for those in flight, at most `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    const closing = [...this.#listeners.values()].map(
      ({ server }) => new Promise<void>((resolve) => server.close(() => resolve())),
    )
    const limit = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref())
    for (const { server } of this.#listeners.values()) server.closeIdleConnections()
    await Promise.race([Promise.all(closing), limit])
  }

  #poolsOf(instance: string): readonly number[] {
    return [...this.#routes.values()].flatMap((route) =>
      route.pools.flatMap((pool) =>
        pool.instances.some((known) => known.id === instance) ? [pool.weight] : [],
      ),
    )
  }

  #index(): void {
    this.#routes = new Map(allRoutes(this.#state).map((route) => [route.route, route]))
    for (const id of [...this.upstreams.zeroSince.keys()]) {
      if (this.#poolsOf(id).some((weight) => weight > 0)) this.upstreams.zeroSince.delete(id)
    }
  }

  #keep(state: State): void {
    saveState(this.#dir, state)
    this.#state = state
  }

  /** Opens a route's address unless it is open; true when it opened it. */
  async #open(route: RouteTable): Promise<boolean> {
    const known = this.#listeners.get(route.route)
    if (known?.asked === route.listen) return false
    const [host = "127.0.0.1", port = "0"] = route.listen.split(":")
    const remembered = this.#state.ports[route.route]
    const server = this.#serverFor(route.route)
    const wanted = Number(port) === 0 && remembered !== undefined ? remembered : Number(port)
    await listen(server, host, wanted).catch((error: NodeJS.ErrnoException) => {
      if (Number(port) === 0 && wanted !== 0) return listen(server, host, 0)
      throw new Error(
        error.code === "EADDRINUSE"
          ? `${route.listen} is in use by another process; free it or change listen of ${route.route}`
          : error.message,
      )
    })
    const bound = server.address() as AddressInfo
    known?.server.close()
    this.#listeners.set(route.route, { server, address: `${host}:${bound.port}`, asked: route.listen })
    if (Number(port) === 0)
      this.#state = { ...this.#state, ports: { ...this.#state.ports, [route.route]: bound.port } }
    return true
  }

  #serverFor(name: string): Server {
    const parts = {
      route: (wanted: string) => this.#routes.get(wanted),
      counters: this.counters,
      upstreams: this.upstreams,
    }
    const server = createServer(
      {
        maxHeaderSize: 32 * 1024,
        headersTimeout: 10_000,
        requestTimeout: 0,
        keepAliveTimeout: 75_000,
        noDelay: true,
      },
      (request, response) => carry(parts, name, request, response),
    )
    server.on("upgrade", (request, socket, head) => carryUpgrade(parts, name, request, socket, head))
    server.on("clientError", (_error, socket) => {
      if (socket.writable)
        socket.end(
          "HTTP/1.1 400 Bad Request\r\nx-immunity-router: bad-request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
    })
    return server
  }

  #close(name: string): void {
    const known = this.#listeners.get(name)
    known?.server.close()
    known?.server.closeIdleConnections()
    this.#listeners.delete(name)
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(act)
    this.#turn = next.catch(() => undefined)
    return next
  }
}

const withoutInstance = (table: AppTable, instance: string): AppTable => ({
  ...table,
  routes: table.routes.map((route) => ({
    ...route,
    pools: route.pools.map((pool) => ({
      ...pool,
      instances: pool.instances.filter((known) => known.id !== instance),
    })),
  })),
})

const stale = (epoch: number, generation: number, known: AppTable): Answer => ({
  refused: {
    code: "stale",
    because: `(${epoch}, ${generation}) is older than (${known.epoch}, ${known.generation})`,
  },
})

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off("error", reject)
      resolve()
    })
  })
