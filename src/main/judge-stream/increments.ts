import type { Header, Obs } from "./contract.ts"

const fields = ["errors", "total", "events", "exposure"] as const

/**
 * What was added since the last observation of the same metric, role and instance. Counters that fall were reset:
 * the process restarted and what it shows now came since. The first reading of a counter is a baseline.
 */
export class Increments {
  readonly #cumulative: ReadonlySet<string>
  readonly #last = new Map<string, Obs>()

  constructor(header: Header) {
    this.#cumulative = new Set(
      header.metrics.filter(({ temporality }) => temporality === "cumulative").map(({ name }) => name),
    )
  }

  /** Undefined for a baseline. */
  of(obs: Obs): Obs | undefined {
    if (!this.#cumulative.has(obs.metric)) return obs
    const key = JSON.stringify([obs.metric, obs.role, obs.instance])
    const before = this.#last.get(key)
    this.#last.set(key, obs)
    if (!before) return undefined
    const pairs = [
      ...fields.map((name) => [obs[name] ?? 0, before[name] ?? 0] as const),
      ...(obs.counts ?? []).map((count, i) => [count, before.counts?.[i] ?? 0] as const),
    ]
    return pairs.some(([now, then]) => now < then) ? obs : less(obs, before)
  }
}

function less(now: Obs, before: Obs): Obs {
  const rest = Object.fromEntries(
    fields.flatMap((name) => (now[name] === undefined ? [] : [[name, now[name] - (before[name] ?? 0)]])),
  )
  const counts = now.counts?.map((count, i) => count - (before.counts?.[i] ?? 0))
  return { ...now, ...rest, ...(counts ? { counts } : {}) }
}
