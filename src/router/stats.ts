import type { CountersJson } from "./counters.ts"
import type { SparseHistogram } from "./histogram.ts"
import type { Told } from "./mirror-choice.ts"
import type { MirrorJson, SideJson } from "./mirror-counters.ts"

export type RouteStats = {
  readonly pools: Readonly<Record<string, Readonly<Record<string, CountersJson>>>>
  /** What the router answered itself, by reason. */
  readonly own: Readonly<Record<string, number>>
  /** By pool: its users who went to the stable one, because nobody of it could be asked. */
  readonly fellBack: Readonly<Record<string, number>>
  readonly mirror?: MirrorStats
}

/** `recent`: requests that were copied in the last seconds, where the table asks for them. */
export type MirrorStats = MirrorJson & { readonly recent?: readonly Told[] }

/** Everything that was counted since the router started. */
export type Stats = {
  readonly boot: string
  readonly at: number
  readonly routes: Readonly<Record<string, RouteStats>>
}

/** The counts of several workers as those of one router. */
export function mergeRoutes(
  all: readonly Readonly<Record<string, RouteStats>>[],
): Readonly<Record<string, RouteStats>> {
  return all.reduce((sum, one) => mergeBy(sum, one, mergeRoute), {})
}

function mergeRoute(a: RouteStats, b: RouteStats): RouteStats {
  const mirror = a.mirror && b.mirror ? mergeMirror(a.mirror, b.mirror) : (a.mirror ?? b.mirror)
  return {
    pools: mergeBy(a.pools, b.pools, (one, other) => mergeBy(one, other, mergeCounters)),
    own: addUp(a.own, b.own),
    fellBack: addUp(a.fellBack, b.fellBack),
    ...(mirror ? { mirror } : {}),
  }
}

const mergeCounters = (a: CountersJson, b: CountersJson): CountersJson => ({
  requests: a.requests + b.requests,
  errors: addUp(a.errors, b.errors),
  status: addUp(a.status, b.status),
  aborted: a.aborted + b.aborted,
  replayed: a.replayed + b.replayed,
  inFlight: a.inFlight + b.inFlight,
  histogram: mergeHistograms(a.histogram, b.histogram),
})

/** A mirror that was led elsewhere began anew: what was counted for another target says nothing of this one. */
function mergeMirror(a: MirrorStats, b: MirrorStats): MirrorStats {
  if (a.to !== b.to) return b
  return {
    recent: [...(a.recent ?? []), ...(b.recent ?? [])]
      .sort((one, other) => one.at - other.at)
      .slice(-mostTold),
    to: a.to,
    sent: a.sent + b.sent,
    dropped: a.dropped + b.dropped,
    failed: a.failed + b.failed,
    aborted: a.aborted + b.aborted,
    primary: mergeSides(a.primary, b.primary),
    candidate: mergeSides(a.candidate, b.candidate),
  }
}

const mostTold = 20

const mergeSides = (a: SideJson, b: SideJson): SideJson => ({
  requests: a.requests + b.requests,
  bad: a.bad + b.bad,
  histogram: mergeHistograms(a.histogram, b.histogram),
})

function mergeHistograms(a: SparseHistogram, b: SparseHistogram): SparseHistogram {
  const counts = new Map(a)
  for (const [bucket, count] of b) counts.set(bucket, (counts.get(bucket) ?? 0) + count)
  return [...counts].sort(([one], [other]) => one - other)
}

function mergeBy<V>(
  a: Readonly<Record<string, V>>,
  b: Readonly<Record<string, V>>,
  merge: (a: V, b: V) => V,
): Record<string, V> {
  const merged: Record<string, V> = { ...a }
  for (const [key, value] of Object.entries(b)) {
    const known = merged[key]
    merged[key] = known === undefined ? value : merge(known, value)
  }
  return merged
}

function addUp<K extends string>(
  a: Readonly<Record<K, number>>,
  b: Readonly<Record<K, number>>,
): Record<K, number> {
  return mergeBy(a, b, (one, other) => one + other) as Record<K, number>
}
