import { instancesOf } from "../../core/judge/instance-share.ts"
import { besideOne } from "../../core/judge/learned-margin.ts"
import { defaultAlpha } from "../../core/judge/options.ts"
import type { Preflight } from "../../core/judge/preflight.ts"
import { preflight } from "../../core/judge/preflight.ts"
import type { Observation } from "../../core/model/measurement.ts"
import type { MetricPolicy } from "../../core/model/policy.ts"
import { type Rollout, terminal } from "../../core/rollout/rollout.ts"
import type { Interval } from "../../ports/evidence.ts"

/** Less than this tells nothing of a traffic, in ms. */
const shortest = 3_000

/**
 * What this rollout's comparison can see, at the traffic that was seen of its region lately: its own, or while
 * there is none that of the rollout before. One answer a metric that is counted by request; none once the
 * rollout is over, without a comparison, or before any traffic was measured.
 */
export function foresightOf(
  rollout: Rollout,
  own: readonly Interval[],
  before: readonly Interval[],
): readonly Preflight[] {
  const compare = rollout.policy.regions.find(({ name }) => name === rollout.region)?.compare
  const share = rollout.schedule.find(({ analysis }) => analysis)?.weight
  if (terminal(rollout.phase) || !compare || share === undefined || share >= 1) return []
  const intervals = lengthOf(own) >= shortest ? own : before
  if (lengthOf(intervals) < shortest) return []
  const withinSeconds = (compare.for * (1 + compare.extensions)) / 1_000
  return rollout.policy.metrics.flatMap((metric) => {
    const traffic = trafficOf(metric, intervals)
    if (!traffic) return []
    const margin = traffic.alone ? besideOne(metric, defaultAlpha) : metric
    return [
      preflight(margin, traffic.perSecond, share, traffic.baseline, { alpha: defaultAlpha, withinSeconds }),
    ]
  })
}

const lengthOf = (intervals: readonly Interval[]): number =>
  intervals.reduce((sum, { from, to }) => sum + to - from, 0)

/** Requests a second over both sides, how many of the control's failed, and whether that is a single instance. */
function trafficOf(metric: MetricPolicy, intervals: readonly Interval[]) {
  const seen = intervals.flatMap(({ measurements }) => measurements.filter((m) => m.metric === metric.name))
  const canary = seen.map((m) => counted(m.canary))
  const control = seen.map((m) => counted(m.control))
  const requests = sum([...canary, ...control].map(({ n }) => n))
  if (requests === 0) return undefined
  const kept = sum(control.map(({ n }) => n))
  const baseline = kept > 0 ? sum(control.map(({ k }) => k)) / kept : 0
  const alone = seen.findLast((m) => instancesOf(m.control).length > 0)
  return {
    perSecond: requests / (lengthOf(intervals) / 1_000),
    baseline,
    alone: instancesOf(alone?.control).length === 1,
  }
}

function counted(seen: Observation | undefined): { readonly n: number; readonly k: number } {
  if (seen?.kind === "proportion") return { n: seen.total, k: seen.bad }
  if (seen?.kind === "histogram") return { n: sum(seen.buckets.map(([, count]) => count)), k: 0 }
  return { n: 0, k: 0 }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
