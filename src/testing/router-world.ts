import { once } from "node:events"
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  request,
  type Server,
  type ServerResponse,
} from "node:http"
import type { AddressInfo } from "node:net"
import type { PoolSpec, RouteSpec } from "../core/pipeline/effects.ts"

export type Asked = { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }

/**
 * An instance that a test can watch: `/slow` waits until it is let go, `/bad` answers 500, `/healthz` tells whether
 * it is well, `/hop` names a field for one connection, and everything else gets its name.
 */
export class TestInstance {
  readonly name: string
  readonly asked: Asked[] = []
  isWell = true
  readonly #server: Server
  readonly #waiting = new Set<ServerResponse>()
  #hangs = false

  private constructor(name: string) {
    this.name = name
    this.#server = createServer((asked, answer) => {
      if (asked.url === "/healthz") {
        answer.statusCode = this.isWell ? 200 : 503
        answer.end()
        return
      }
      this.asked.push({ method: asked.method ?? "", url: asked.url ?? "", headers: asked.headers })
      asked.resume()
      if (this.#hangs || asked.url === "/slow") this.#waiting.add(answer)
      else {
        answer.statusCode = asked.url === "/bad" ? 500 : 200
        if (asked.url === "/hop") answer.setHeaders(hopByHop)
        answer.end(name)
      }
    })
  }

  static async start(name: string, port = 0): Promise<TestInstance> {
    const instance = new TestInstance(name)
    instance.#server.listen(port, "127.0.0.1")
    await once(instance.#server, "listening")
    return instance
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** From now on nobody is answered until `letGo`. */
  hang(): void {
    this.#hangs = true
  }

  letGo(): void {
    this.#hangs = false
    for (const answer of this.#waiting) answer.end(this.name)
    this.#waiting.clear()
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, "close")
  }
}

const hopByHop = new Map([
  ["Connection", "keep-alive, X-Hop"],
  ["X-Hop", "1"],
  ["X-Kept", "2"],
])

export type Got = { readonly status: number; readonly body: string; readonly headers: IncomingHttpHeaders }

/** Users of one address over connections that stay open, as browsers and proxies keep them. */
export class Users {
  readonly #agent: Agent

  constructor(most = 16) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: most })
  }

  get(address: string, path = "/", headers: Readonly<Record<string, string>> = {}): Promise<Got> {
    const [host, port] = address.split(":")
    return new Promise((resolve, reject) => {
      const asked = request({ host, port, path, headers, agent: this.#agent }, (answer) => {
        let body = ""
        answer.setEncoding("utf8")
        answer.on("data", (chunk: string) => {
          body += chunk
        })
        answer.on("error", reject)
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }))
      })
      asked.on("error", reject)
      asked.end()
    })
  }

  leave(): void {
    this.#agent.destroy()
  }
}

export const pool = (
  name: string,
  weight: number,
  instances: Readonly<Record<string, { readonly address: string }>>,
): PoolSpec => ({
  pool: name,
  weight,
  instances: Object.entries(instances).map(([id, { address }]) => ({ id, address })),
})

export const routeTo = (pools: readonly PoolSpec[], more: Partial<RouteSpec> = {}): RouteSpec => ({
  route: "papi/prod",
  listen: "127.0.0.1:0",
  salt: "papi#7",
  sticky: { by: "none" },
  pools,
  stable: pools[0]?.pool,
  mirror: undefined,
  ...more,
})

/** On a machine that stands still at times; nobody waits for so long unless something is wrong. */
const patienceMs = 120_000

/** Looks again until it is so; says what it waited for when it never is. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`waited ${patienceMs / 1_000} s for ${what}`)
}
