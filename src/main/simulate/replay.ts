import { bucketOf } from "../../core/judge/histogram.ts"
import { observe, startJudge, verdicts } from "../../core/judge/judge.ts"
import type { Observation } from "../../core/model/measurement.ts"
import type { MetricPolicy } from "../../core/model/policy.ts"
import type { Verdict } from "../../core/model/verdict.ts"
import type { Pair } from "./pair-rows.ts"
import type { Row, Table } from "./read-csv.ts"

/** What the judge would have said, look by look. */
export type Replay = {
  readonly metrics: readonly MetricPolicy[]
  readonly end: "worse" | "good" | "cannot tell"
  /** Verdicts when it ended: when it was worse, when all was proved, else after the last row. */
  readonly verdicts: readonly Verdict[]
  /** Which pair that was, from 0. */
  readonly at: number
  /** Pairs in which both sides were seen. */
  readonly seen: number
}

export type Tolerance = { readonly ratio: number; readonly delta: number }

/**
 * Runs the judge over the rows as it would have watched them. It ends with the first proof that something is worse;
 * a release that was good once may still be found worse later, as in production before the rollout's end.
 */
export function replay(
  pairs: readonly Pair[],
  sides: readonly Table[],
  tolerated: { readonly errors: Tolerance; readonly latency: Tolerance },
): Replay {
  const metrics = metricsOf(sides, tolerated)
  let state = startJudge(metrics, { minSamples: 0 })
  let found = verdicts(state)
  let at = 0
  let seen = 0
  for (const [i, pair] of pairs.entries()) {
    for (const { name, kind } of metrics) {
      const observation = (row: Row | undefined) => (row ? observationOf(row, kind) : undefined)
      const both = { canary: observation(pair.canary), control: observation(pair.control) }
      state = observe(state, { metric: name, from: pair.from, to: pair.to, ...both })
    }
    if (pair.canary && pair.control) seen++
    found = verdicts(state)
    at = i
    if (found.some(({ kind }) => kind === "worse"))
      return { metrics, end: "worse", verdicts: found, at, seen }
  }
  const good = found.length > 0 && found.every(({ kind }) => kind === "ok")
  return { metrics, end: good ? "good" : "cannot tell", verdicts: found, at, seen }
}

function metricsOf(
  sides: readonly Table[],
  tolerated: { readonly errors: Tolerance; readonly latency: Tolerance },
): readonly MetricPolicy[] {
  const both = (column: "errors" | "latency") => sides.every(({ columns }) => columns.has(column))
  const base = { source: { type: "router" }, worse: "up", critical: true } as const
  const errors: MetricPolicy = {
    ...base,
    name: "errors",
    kind: "error-proportion",
    tolerateRatio: tolerated.errors.ratio,
    tolerateDelta: tolerated.errors.delta,
  }
  const latency: MetricPolicy = {
    ...base,
    name: "latency",
    kind: "latency-quantile",
    quantile: 0.5,
    tolerateRatio: tolerated.latency.ratio,
    tolerateDelta: tolerated.latency.delta,
  }
  return [...(both("errors") ? [errors] : []), ...(both("latency") ? [latency] : [])]
}

/** A row's latency is one number of many requests: it counts as one, for they were not independent. */
function observationOf(
  { requests, errors, latency }: Row,
  kind: MetricPolicy["kind"],
): Observation | undefined {
  if (kind === "latency-quantile") {
    if (latency === undefined) return undefined
    return { kind: "histogram", buckets: [[bucketOf(latency), 1]] }
  }
  return requests === undefined || errors === undefined
    ? undefined
    : { kind: "proportion", total: requests, bad: errors }
}
