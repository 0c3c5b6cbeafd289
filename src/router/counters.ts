import { randomUUID } from "node:crypto"

const perOctave = 32

/** Cumulative counts since this process began; a new `boot` says that they began anew. */
export class Tally {
  requests = 0
  bad = 0
  readonly errors = { connect: 0, timeout: 0, reset: 0, status5xx: 0 }
  readonly #latency = new Map<number, number>()

  /** An answer after `ms`; 5xx counts as bad. */
  answered(status: number, ms: number): void {
    this.requests++
    if (status >= 500) {
      this.bad++
      this.errors.status5xx++
    }
    const bucket = Math.ceil(Math.log2(Math.max(ms, 0.01)) * perOctave) - 1
    this.#latency.set(bucket, (this.#latency.get(bucket) ?? 0) + 1)
  }

  failed(how: "connect" | "timeout" | "reset"): void {
    this.requests++
    this.bad++
    this.errors[how]++
  }

  toJSON(): unknown {
    return {
      requests: this.requests,
      bad: this.bad,
      errors: this.errors,
      latency: [...this.#latency].sort(([a], [b]) => a - b),
    }
  }
}

export class MirrorTally {
  readonly to: string
  sent = 0
  dropped = 0
  readonly primary = new Tally()
  readonly candidate = new Tally()

  constructor(to: string) {
    this.to = to
  }

  toJSON(): unknown {
    return {
      to: this.to,
      sent: this.sent,
      dropped: this.dropped,
      primary: this.primary,
      candidate: this.candidate,
    }
  }
}

/** All counters, by route, pool and instance. */
export class Counters {
  readonly boot = randomUUID()
  readonly #tallies = new Map<string, Map<string, Map<string, Tally>>>()
  readonly #mirrors = new Map<string, MirrorTally>()

  of(route: string, pool: string, instance: string): Tally {
    const pools = entry(this.#tallies, route, () => new Map<string, Map<string, Tally>>())
    const instances = entry(pools, pool, () => new Map<string, Tally>())
    return entry(instances, instance, () => new Tally())
  }

  mirror(route: string, to: string): MirrorTally {
    const known = this.#mirrors.get(route)
    if (known?.to === to) return known
    const fresh = new MirrorTally(to)
    this.#mirrors.set(route, fresh)
    return fresh
  }

  /** Forgets an instance that never comes back. */
  forget(instance: string): void {
    for (const pools of this.#tallies.values()) {
      for (const [pool, instances] of pools) {
        instances.delete(instance)
        if (instances.size === 0) pools.delete(pool)
      }
    }
  }

  snapshot(at: number): unknown {
    const routes: Record<string, unknown> = {}
    for (const route of new Set([...this.#tallies.keys(), ...this.#mirrors.keys()])) {
      const pools = Object.fromEntries(
        [...(this.#tallies.get(route) ?? [])].map(([pool, instances]) => [
          pool,
          Object.fromEntries(instances),
        ]),
      )
      routes[route] = { pools, mirror: this.#mirrors.get(route) }
    }
    return { boot: this.boot, at, routes }
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
