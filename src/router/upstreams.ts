import { Agent } from "node:http"

const failuresToEject = 5
const ejectedFor = 10_000

/** What is known of each instance: connections, requests in flight, connect failures in a row. */
export class Upstreams {
  readonly #agents = new Map<string, Agent>()
  readonly #inFlight = new Map<string, number>()
  readonly #failures = new Map<string, { count: number; until: number }>()
  readonly #open = new Map<string, Set<() => void>>()
  /** Since when an instance has had no weight. */
  readonly zeroSince = new Map<string, number>()

  agent(id: string): Agent {
    const known = this.#agents.get(id)
    if (known) return known
    const agent = new Agent({ keepAlive: true, maxFreeSockets: 64, scheduling: "lifo" })
    this.#agents.set(id, agent)
    return agent
  }

  /** Counts a request in; the returned function counts it out, once. `cut` ends it when its time is over. */
  enter(id: string, cut: () => void): () => void {
    this.#inFlight.set(id, this.inFlight(id) + 1)
    const cuts = this.#open.get(id) ?? new Set()
    this.#open.set(id, cuts.add(cut))
    let left = false
    return () => {
      if (left) return
      left = true
      cuts.delete(cut)
      this.#inFlight.set(id, this.inFlight(id) - 1)
    }
  }

  readonly inFlight = (id: string): number => this.#inFlight.get(id) ?? 0

  readonly usable = (id: string): boolean => {
    const failures = this.#failures.get(id)
    return !failures || failures.count < failuresToEject || performance.now() >= failures.until
  }

  connected(id: string): void {
    this.#failures.delete(id)
  }

  refused(id: string): void {
    const count = (this.#failures.get(id)?.count ?? 0) + 1
    this.#failures.set(id, { count, until: performance.now() + ejectedFor })
  }

  cutAll(id: string): void {
    for (const cut of this.#open.get(id) ?? []) cut()
  }

  forget(id: string): void {
    this.#agents.get(id)?.destroy()
    this.#agents.delete(id)
    this.#inFlight.delete(id)
    this.#failures.delete(id)
    this.#open.delete(id)
    this.zeroSince.delete(id)
  }

  inFlightAll(): Record<string, number> {
    return Object.fromEntries([...this.#inFlight].filter(([, count]) => count > 0))
  }
}
