import type { MetricPolicy } from "../model/policy.ts"
import { logSum } from "./bets.ts"
import type { Bound, Guard } from "./guard.ts"
import { breaks, isKept } from "./guard.ts"
import { milliseconds, percent, quantileName, short } from "./words.ts"

/** An absolute target of a metric, in the metric's own unit. */
export type Target = {
  readonly side: "max" | "min"
  readonly value: number
  /** Not in the policy: what is bad whatever was before. */
  readonly implied: boolean
}

/** A release that fails more than half of its requests is bad even when there is nothing to compare it with. */
const impliedErrors = 0.5

/** The targets to hold the canary against. A lower bound on a latency is no promise to anyone. */
export function targetsOf(policy: MetricPolicy, solo: boolean): readonly Target[] {
  const targets: Target[] = []
  if (policy.max !== undefined) targets.push({ side: "max", value: policy.max, implied: false })
  if (policy.min !== undefined && policy.kind !== "latency-quantile") {
    targets.push({ side: "min", value: policy.min, implied: false })
  }
  if (solo && targets.length === 0 && policy.kind === "error-proportion" && policy.worse === "up") {
    targets.push({ side: "max", value: impliedErrors, implied: true })
  }
  return targets
}

/** A target under guard. */
export type Watched = { readonly target: Target; readonly bound: Bound; readonly guard: Guard }

/** What the guards of one metric say together. */
export type TargetLook = {
  /** Log e-value that a target is broken; undefined when there is none. */
  readonly evidence: number | undefined
  readonly kept: boolean
  readonly canaryBreaks: boolean
  readonly controlBreaks: boolean
  /** `the target is at most 5 %`; empty when there is none. */
  readonly words: string
}

export function lookAtTargets(
  policy: MetricPolicy,
  watched: readonly Watched[],
  promotionAlpha: number,
): TargetLook {
  const worldIsSick = (w: Watched) => breaks(w.guard.canary, w.bound) && breaks(w.guard.control, w.bound)
  // A guard whose target the control breaks as well accuses nobody.
  const evidence = watched.map(({ guard, ...w }) => {
    const wealth = guard.broken.log
    return worldIsSick({ guard, ...w }) ? Math.min(0, wealth) : wealth
  })
  return {
    evidence: watched.length > 0 ? logSum(evidence) - Math.log(watched.length) : undefined,
    kept: watched.length > 0 && watched.every((w) => isKept(w.guard, promotionAlpha)),
    canaryBreaks: watched.some((w) => breaks(w.guard.canary, w.bound)),
    controlBreaks: watched.some(worldIsSick),
    words: watched.map((w) => inWords(policy, w.target)).join(" and "),
  }
}

function inWords(policy: MetricPolicy, { side, value, implied }: Target): string {
  if (implied) return `no release may fail more than ${percent(value)} of its requests`
  return `the target is at ${side === "max" ? "most" : "least"} ${quantity(policy, value)}`
}

/** A value of this metric with its unit. */
export function quantity(policy: MetricPolicy, value: number): string {
  switch (policy.kind) {
    case "error-proportion":
      return percent(value)
    case "latency-quantile":
      return `${milliseconds(value)} at ${quantileName(policy.quantile ?? 0.5)}`
    case "events":
      return `${short(value)} per min`
    case "answers":
      return short(value)
    case "gauge":
      return gaugeUnit(policy) === "MB" ? `${short(value)} MB` : short(value)
  }
}

/** Memory is told in MB, by the metric's name; every other level is a bare number. */
export const gaugeUnit = (policy: MetricPolicy): "MB" | "1" =>
  /(^|[^a-z])(memory|mem|rss|heap|mb)([^a-z]|$)/i.test(policy.name) ? "MB" : "1"
