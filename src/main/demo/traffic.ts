import { Agent, request } from "node:http"

/** How one request ended, as its sender saw it. */
export type Seen = {
  readonly at: number
  readonly ms: number
  readonly ok: boolean
  readonly release: string | undefined
  /** Set when the router, not an instance, answered: why. */
  readonly router: string | undefined
  /** The pool that a request of the router's own answer was meant for. */
  readonly pool: string | undefined
}

/** Real requests at a steady rate to real addresses, a part of them writes; an open loop that waits for nobody. */
export class Traffic {
  readonly seen: Seen[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 })
  #timer: NodeJS.Timeout | undefined
  #open = 0
  #turn = 0

  start(addresses: readonly string[], perSecond: number): void {
    const began = performance.now()
    let sent = 0
    this.#timer = setInterval(() => {
      const due = ((performance.now() - began) / 1_000) * perSecond
      while (sent < due) {
        sent++
        const address = addresses[this.#turn++ % addresses.length]
        if (address) this.#send(address, Math.random() < 0.3 ? "POST" : "GET")
      }
    }, 5)
  }

  /** Sends nothing new and waits for what is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    for (let waited = 0; this.#open > 0 && waited < 200; waited++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    this.#agent.destroy()
  }

  #send(address: string, method: "GET" | "POST"): void {
    const [host, port] = address.split(":")
    const at = Date.now()
    const began = performance.now()
    this.#open++
    let done = false
    const end = (
      ok: boolean,
      release: string | undefined,
      router: string | undefined,
      pool: string | undefined,
    ) => {
      if (done) return
      done = true
      this.#open--
      this.seen.push({ at, ms: performance.now() - began, ok, release, router, pool })
    }
    const body = method === "POST" ? '{"items":[1,2,3]}' : undefined
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": String(body.length) }
    const asked = request(
      { host, port, method, path: "/items", agent: this.#agent, headers, timeout: 10_000 },
      (answer) => {
        answer.resume()
        const { "x-release": release, "x-immunity-router": router, "x-immunity-pool": pool } = answer.headers
        const good = answer.statusCode === 200
        answer.on("end", () => end(good, text(release), text(router), text(pool)))
        answer.on("error", () => end(false, text(release), text(router) ?? "broken", text(pool)))
      },
    )
    asked.on("timeout", () => asked.destroy())
    asked.on("error", (error) => end(false, undefined, error.message, undefined))
    asked.end(body)
  }
}

const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value
