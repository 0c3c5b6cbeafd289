import type { RolloutView } from "../../api/contract/views.ts"

/** How a canary climbed under `ramp: adaptive`. */
export type Ramped = {
  readonly region: string
  /** The weights that the router acknowledged, with seconds since the first share of traffic was asked for. */
  readonly weights: readonly { readonly weight: number; readonly seconds: number }[]
  readonly bound: string
}

/** Undefined of a rollout without a ramp, or one that never got to it. */
export function climbOf({ summary, bound, steps, timeline }: RolloutView): Ramped | undefined {
  const began = timeline.find(({ type }) => type === "step-started")?.at
  if (bound === undefined || began === undefined) return undefined
  // Steps are reached in their order, one entry each.
  const reached = timeline.filter(({ type }) => type === "step-reached")
  const weights = reached.flatMap(({ at }, i) => {
    const weight = steps[i]?.weight
    return weight === undefined ? [] : [{ weight, seconds: Math.round((at - began) / 100) / 10 }]
  })
  return { region: summary.region, weights, bound }
}
