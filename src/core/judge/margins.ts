import type { MetricPolicy } from "../model/policy.ts"
import type { Margin } from "./tally.ts"

/** A policy whose margin is wider than it says, or is so for the accusation only. */
export type Widened = MetricPolicy & { readonly excludeRatio?: number }

/** What is taken for tolerated when something is called ok. */
export const ratioToExclude = ({ excludeRatio, tolerateRatio }: Widened): number =>
  excludeRatio ?? tolerateRatio

/** Up to here a canary is not called worse. */
export const toleratedBy = (policy: MetricPolicy): Margin => ({
  r: 1 + policy.tolerateRatio,
  d: policy.tolerateDelta,
})

// To call something ok, at least a doubling plus one point must be excluded. Less would need hours of
// traffic; a smaller regression that the accusing test proves is still found.
const leastExcludedPoint = 0.01

/** What must be excluded of a proportion before it is called ok. */
export const excludedFor = (policy: Widened): Margin => ({
  r: 1 + Math.max(1, 2 * ratioToExclude(policy)),
  d: Math.max(2 * policy.tolerateDelta, leastExcludedPoint),
})

/**
 * The same for the share `s` of requests above a latency bound: twice its odds plus one point. As a
 * line through the origin, so that it stays below 1 where `s` is large.
 */
export const excludedAbove = (s: number): Margin => ({ r: 2 / (1 + s), d: leastExcludedPoint })
