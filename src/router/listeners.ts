import { createServer, type Server, type Socket } from "node:net"
import type { Door } from "./client-connection.ts"
import { formatAddress, parseAddress } from "./read-table.ts"
import { Refusal } from "./refusal.ts"
import type { Route } from "./route.ts"
import type { TlsFiles } from "./secure-server.ts"

/** What a route asks for, and the port that it got before where it asked for any. */
export type WantedListener = {
  readonly route: string
  readonly listen: string
  readonly port: number | undefined
  /** Without TLS, whatever the others have. */
  readonly plain?: boolean
}

type Listener = {
  readonly server: Server
  /** As its route asked for it. */
  listen: string
  /** Where it really listens, once it does. */
  address: string
  readonly isSecure: boolean
  /** The route that its clients are led to; undefined once it has closed. */
  route: string | undefined
}

/** Opened for a table that is not applied yet: either all of it becomes true or none. */
export type Prepared = {
  /** Leads clients by the new table, and closes what it does not name. */
  readonly commit: () => void
  readonly abandon: () => void
  /** Where each route listens. */
  readonly addresses: ReadonlyMap<string, string>
}

/** The addresses at which clients come in. */
export class Listeners {
  readonly #accept: (socket: Socket, door: Door) => void
  readonly #routeOf: (name: string) => Route | undefined
  readonly #onClosed: () => void
  readonly #tls: TlsFiles | undefined
  #open: readonly Listener[] = []

  constructor(
    accept: (socket: Socket, door: Door) => void,
    routeOf: (name: string) => Route | undefined,
    onClosed: () => void,
    tls?: TlsFiles | undefined,
  ) {
    this.#tls = tls
    this.#accept = accept
    this.#routeOf = routeOf
    this.#onClosed = onClosed
  }

  /** Where each route listens now. */
  get addresses(): ReadonlyMap<string, string> {
    return new Map(
      this.#open.flatMap(({ route, address }) => (route === undefined ? [] : [[route, address] as const])),
    )
  }

  /** Opens what is missing. Throws a Refusal that names an address which somebody else has. */
  async prepare(wanted: readonly WantedListener[]): Promise<Prepared> {
    const next: { listener: Listener; route: string; listen: string }[] = []
    const fresh: Listener[] = []
    const free = new Set(this.#open)
    try {
      // Listeners that stay are taken first, so that routes may exchange their addresses.
      const missing = wanted.filter((want) => {
        const { route, listen } = want
        const same = [...free].find((one) => serves(one, want, this.#isSecure(want)))
        if (!same) return true
        free.delete(same)
        next.push({ listener: same, route, listen })
        return false
      })
      for (const want of missing) {
        const listener = await this.#listen(want)
        fresh.push(listener)
        next.push({ listener, route: want.route, listen: want.listen })
      }
    } catch (error) {
      for (const listener of fresh) listener.server.close()
      throw error
    }
    return {
      addresses: new Map(next.map(({ listener, route }) => [route, listener.address])),
      commit: () => {
        for (const { listener, route, listen } of next) Object.assign(listener, { route, listen })
        const kept = next.map(({ listener }) => listener)
        const closing = this.#open.filter((listener) => !kept.includes(listener))
        this.#open = kept
        for (const listener of closing) {
          listener.route = undefined
          listener.server.close()
        }
        if (closing.length > 0) this.#onClosed()
      },
      abandon: () => {
        for (const listener of fresh) listener.server.close()
      },
    }
  }

  /** No new clients; who is in may finish. */
  close(): void {
    for (const { server } of this.#open) server.close()
  }

  async #listen(want: WantedListener): Promise<Listener> {
    const { route, listen, port } = want
    const wanted = parseAddress(listen)
    if (!wanted) throw new Refusal(422, "invalid", `route ${route} cannot listen at ${listen}`)
    const { host } = wanted
    // A port that was given once is asked for again; it may be lost while the router was down.
    const ports = wanted.port === 0 && port !== undefined ? [port, 0] : [wanted.port]
    let problem: unknown
    for (const attempt of ports) {
      const tls = this.#isSecure(want) ? this.#tls : undefined
      const server = tls ? await secureServer(tls) : createServer({ allowHalfOpen: true, noDelay: true })
      const address = formatAddress({ host, port: attempt })
      const isSecure = tls !== undefined
      const listener: Listener = { server, listen, address, isSecure, route: undefined }
      // Before it is bound: to a worker that joins others the first client comes together with the news that it is.
      server.on(tls ? "secureConnection" : "connection", (socket: Socket) =>
        this.#connected(socket, listener),
      )
      try {
        listener.address = formatAddress({ host, port: await bind(server, host, attempt) })
        server.on("error", () => undefined)
        return listener
      } catch (error) {
        problem = error
      }
    }
    const because = problem instanceof Error ? problem.message : String(problem)
    throw new Refusal(
      409,
      "address-in-use",
      `route ${route} cannot listen at ${listen}: ${because}; free it or choose another`,
    )
  }

  #isSecure({ plain }: WantedListener): boolean {
    return this.#tls !== undefined && plain !== true
  }

  #connected(socket: Socket, listener: Listener): void {
    const door: Door = {
      address: listener.address,
      isSecure: listener.isSecure,
      route: () => (listener.route === undefined ? undefined : this.#routeOf(listener.route)),
    }
    this.#accept(socket, door)
  }
}

/** A fixed address is the same whoever had it; one that was chosen belongs to its route. */
const serves = (listener: Listener, { route, listen }: WantedListener, isSecure: boolean): boolean =>
  listener.isSecure === isSecure &&
  (listener.address === listen || (listener.listen === listen && listener.route === route))

/** Loaded only where it is needed: users wait while a router starts. */
async function secureServer(tls: TlsFiles): Promise<Server> {
  const { createSecureServer } = await import("./secure-server.ts")
  return createSecureServer(tls)
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen({ host, port, backlog: 1_024 }, () => {
      server.removeListener("error", reject)
      const address = server.address()
      resolve(typeof address === "object" && address ? address.port : port)
    })
  })
}
