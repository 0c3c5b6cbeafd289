import { shareOf } from "../core/judge/instance-share.ts"
import type { Copies, Histogram, InstanceShare, Observation } from "../core/model/measurement.ts"
import type { Cohort } from "../core/pipeline/effects.ts"
import type { Counters, RouterCounters } from "../ports/counters.ts"

/** What happened between two readings of one cohort; undefined when they cannot be subtracted. */
export type Delta = {
  readonly requests: number
  readonly bad: number
  readonly latency: Histogram
  /** The same instance by instance, where they are told apart. */
  readonly of?: readonly { readonly id: string; readonly delta: Delta }[]
}

/** Subtracts two readings. Another `boot` means the counters began anew: this interval is lost, not zero. */
export function deltaOf(
  cohort: Cohort,
  side: "canary" | "control",
  before: RouterCounters,
  after: RouterCounters,
): Delta | undefined {
  if (before.boot !== after.boot) return undefined
  if (cohort.mirrored) {
    const [a, b] = [before.routes[cohort.route]?.mirror, after.routes[cohort.route]?.mirror]
    if (!b) return undefined
    const pick = side === "canary" ? "candidate" : "primary"
    return minus(b[pick], a?.to === b.to ? a[pick] : undefined)
  }
  const pool = after.routes[cohort.route]?.pools[cohort.pool] ?? {}
  const earlier = before.routes[cohort.route]?.pools[cohort.pool] ?? {}
  const of = Object.entries(pool).map(([id, counters]) => ({ id, delta: minus(counters, earlier[id]) }))
  const all = of.map(({ delta }) => delta).reduce(plus, { requests: 0, bad: 0, latency: [] })
  return { ...all, of }
}

/** What became of the copies between two readings; undefined where none are compared, or they cannot be subtracted. */
export function copiesOf(cohort: Cohort, before: RouterCounters, after: RouterCounters): Copies | undefined {
  if (!cohort.mirrored || before.boot !== after.boot) return undefined
  const [a, b] = [before.routes[cohort.route]?.mirror, after.routes[cohort.route]?.mirror]
  if (!b) return undefined
  const earlier = a?.to === b.to ? a : { sent: 0, dropped: 0 }
  return { made: Math.max(0, b.sent - earlier.sent), dropped: Math.max(0, b.dropped - earlier.dropped) }
}

function minus(after: Counters, before: Counters | undefined): Delta {
  if (!before) return after
  const earlier = new Map(before.latency)
  const latency = after.latency.flatMap(([bucket, count]): readonly (readonly [number, number])[] => {
    const grown = count - (earlier.get(bucket) ?? 0)
    return grown > 0 ? [[bucket, grown]] : []
  })
  return {
    requests: Math.max(0, after.requests - before.requests),
    bad: Math.max(0, after.bad - before.bad),
    latency,
  }
}

function plus(a: Delta, b: Delta): Delta {
  const latency = new Map(a.latency)
  for (const [bucket, count] of b.latency) latency.set(bucket, (latency.get(bucket) ?? 0) + count)
  return {
    requests: a.requests + b.requests,
    bad: a.bad + b.bad,
    latency: [...latency].sort(([x], [y]) => x - y),
  }
}

export const proportion = (delta: Delta): Observation => ({ ...shareBad(delta), ...apart(delta, shareBad) })
export const histogram = (delta: Delta): Observation => ({ ...latencies(delta), ...apart(delta, latencies) })

const shareBad = (delta: Delta): Observation => ({
  kind: "proportion",
  total: delta.requests,
  bad: Math.min(delta.bad, delta.requests),
})
const latencies = (delta: Delta): Observation => ({ kind: "histogram", buckets: delta.latency })

function apart({ of = [] }: Delta, shape: (delta: Delta) => Observation) {
  const instances = of.flatMap(({ id, delta }): readonly InstanceShare[] => {
    const share = delta.requests > 0 ? shareOf(id, shape(delta)) : undefined
    return share ? [share] : []
  })
  return instances.length > 0 ? { instances } : {}
}
