import type { MetricPolicy } from "../model/policy.ts"
import { defaultAlpha } from "./options.ts"
import { project } from "./projection.ts"
import { grouped, percent, short } from "./words.ts"

/** What a comparison can see at this traffic, before it starts. */
export type Preflight = {
  /** The smallest of some round ratios that is found within the time; undefined when none is. */
  readonly detectsRatio: number | undefined
  /** Expected seconds to find that ratio; of the largest ratio when none is found in time. */
  readonly seconds: number
  readonly because: string
}

export type PreflightOptions = {
  readonly alpha: number
  /** How long the comparison may take. */
  readonly withinSeconds: number
}

const ratios = [1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
/** Beyond this ratio people think in shares. */
const largestTold = 20
/** The tests need this much more than the information bound, in the mean of simulations. */
const overBound = 1.3
/** No proof is shorter: see the cap on what one second may add. */
const leastSeconds = 3
/** A baseline without a single failure is taken to be one in ten thousand. */
const leastBaseline = 1e-4

/**
 * Expected time to find a regression, from the information bound ln(1/alpha) / (rate · I). `baseline`
 * is the control's share of failed requests; for a latency it is not needed, as the share of slow
 * requests is 1 − quantile by definition. Traffic is in requests a second over both cohorts,
 * `canaryShare` between 0 and 1. Metrics that are not counted per request are not foreseen.
 */
export function preflight(
  metric: MetricPolicy,
  requestsPerSecond: number,
  canaryShare: number,
  baseline: number,
  { alpha, withinSeconds }: PreflightOptions = { alpha: defaultAlpha, withinSeconds: 300 },
): Preflight {
  const none = (because: string): Preflight => ({
    detectsRatio: undefined,
    seconds: Number.MAX_SAFE_INTEGER,
    because,
  })
  if (metric.kind !== "error-proportion" && metric.kind !== "latency-quantile") {
    return none(
      `${metric.name}: how soon a change shows cannot be foreseen for a metric that is not per request`,
    )
  }
  if (!(requestsPerSecond > 0 && canaryShare > 0 && canaryShare < 1)) {
    return none(`${metric.name}: without traffic on both sides nothing can be compared; send some, or extend`)
  }
  const latency = metric.kind === "latency-quantile"
  const p0 = latency ? 1 - (metric.quantile ?? 0.5) : Math.min(0.99, Math.max(leastBaseline, baseline))
  // The margin of a latency is in milliseconds and moves the bound, not the share above it.
  const margin = latency ? { r: 1, d: 0 } : { r: 1 + metric.tolerateRatio, d: metric.tolerateDelta }
  const secondsFor = (ratio: number): number => {
    const p1 = Math.min(0.995, ratio * p0)
    if (p1 <= margin.r * p0 + margin.d) return Number.MAX_SAFE_INTEGER
    const { q1, q0 } = project(p1, p0, canaryShare, 1 - canaryShare, margin)
    const information = canaryShare * divergence(p1, q1) + (1 - canaryShare) * divergence(p0, q0)
    return Math.max(leastSeconds, (overBound * -Math.log(alpha)) / (requestsPerSecond * information))
  }
  const what = latency ? "the share of slow requests" : `the failures (${percent(p0)} now)`
  const traffic = `${short(requestsPerSecond)} requests a second, ${percent(canaryShare)} of them on the canary`
  const found = ratios.find((ratio) => secondsFor(ratio) <= withinSeconds)
  if (found !== undefined) {
    const seconds = secondsFor(found)
    const share = percent(Math.min(0.995, found * p0))
    const finds =
      found <= largestTold || latency ? `${found} × ${what}` : `failures of ${share} (${percent(p0)} now)`
    const because = `${metric.name}: finds ${finds} in about ${duration(seconds)} at ${traffic}`
    return { detectsRatio: found, seconds, because }
  }
  const seconds = secondsFor(ratios.at(-1) ?? 1)
  const because = `${metric.name}: too little traffic to find even ${ratios.at(-1)} × ${what} within ${duration(withinSeconds)} at ${traffic}`
  return { detectsRatio: undefined, seconds, because }
}

const divergence = (p: number, q: number): number =>
  p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q))

const duration = (seconds: number): string =>
  seconds < 90 ? `${grouped(Math.ceil(seconds))} s` : `${short(seconds / 60)} min`
