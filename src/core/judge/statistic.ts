import type { Observation } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import { unreachable } from "../model/unreachable.ts"
import {
  type AnswersState,
  answersAtMost,
  foldAnswers,
  lookAtAnswers,
  openAnswers,
  readAnswers,
} from "./answers.ts"
import { giveUpAbove } from "./bets.ts"
import { scatterOf } from "./dispersion.ts"
import type { EventsState } from "./events.ts"
import { foldEvents, lookAtEvents, openEvents } from "./events.ts"
import type { GaugeState } from "./gauge.ts"
import { foldGauge, lookAtGauge, openGauge } from "./gauge.ts"
import { totalOf } from "./histogram.ts"
import type { LatencyState } from "./latency.ts"
import { foldLatency, lookAtLatency, openLatency, scatterOfLatency } from "./latency.ts"
import { levelsAtMost } from "./latency-level.ts"
import type { Look } from "./look.ts"
import type { Widened } from "./margins.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import type { ProportionState } from "./proportion.ts"
import { foldProportion, lookAtProportion, openProportion } from "./proportion.ts"
import { readEvents, readGauge, readProportion } from "./readings.ts"
import type { Seen } from "./seen.ts"
import type { Chance } from "./shift.ts"
import { isMemoryTooStrong, lostInChance, scatterOfLevel } from "./shift.ts"
import { suspicionAtMost } from "./suspicion.ts"
import { taughtAtMost } from "./taught.ts"

/** The evidence on one metric, by its kind. */
export type Statistic = ProportionState | LatencyState | EventsState | GaugeState | AnswersState

export function openStatistic(policy: MetricPolicy, options: JudgeOptions): Statistic {
  switch (policy.kind) {
    case "error-proportion":
      return openProportion(policy, options)
    case "latency-quantile":
      return openLatency(policy, options)
    case "events":
      return openEvents(policy, options)
    case "gauge":
      return openGauge(policy, options)
    case "answers":
      return openAnswers
    default:
      return unreachable(policy.kind)
  }
}

export function foldStatistic(
  past: Statistic,
  policy: MetricPolicy,
  options: JudgeOptions,
  pace: Pace,
  seen: Seen,
): Statistic {
  switch (past.kind) {
    case "proportion":
      return foldProportion(past, policy, options, pace, seen)
    case "latency":
      return foldLatency(past, policy, options, pace, seen)
    case "events":
      return foldEvents(past, policy, options, pace, seen)
    case "gauge":
      return foldGauge(past, policy, options, pace, seen)
    case "answers":
      return foldAnswers(past, seen)
    default:
      return unreachable(past)
  }
}

export function lookAt(statistic: Statistic, policy: MetricPolicy, options: JudgeOptions): Look {
  switch (statistic.kind) {
    case "proportion":
      return lookAtProportion(statistic, policy, options)
    case "latency":
      return lookAtLatency(statistic, policy, options)
    case "events":
      return lookAtEvents(statistic, policy, options)
    case "gauge":
      return lookAtGauge(statistic, policy, options)
    case "answers":
      return lookAtAnswers(statistic, policy, options)
    default:
      return unreachable(statistic)
  }
}

/** The same evidence with no accusation above this log e-value. */
export function accusingAtMost(past: Statistic, ceiling: number): Statistic {
  if (past.kind === "answers") return answersAtMost(past, ceiling)
  const guards = past.guards.map((guard) => ({ ...guard, broken: giveUpAbove(guard.broken, ceiling) }))
  switch (past.kind) {
    case "latency":
      return {
        ...past,
        guards,
        rows: levelsAtMost(past.rows, ceiling),
        ...(past.taught ? { taught: past.taught.map((one) => taughtAtMost(one, ceiling)) } : {}),
      }
    case "gauge":
      return { ...past, guards, shift: { ...past.shift, worse: giveUpAbove(past.shift.worse, ceiling) } }
    case "proportion":
      return {
        ...past,
        guards,
        worse: suspicionAtMost(past.worse, ceiling),
        ...(past.taught ? { taught: taughtAtMost(past.taught, ceiling) } : {}),
      }
    case "events":
      return { ...past, guards, worse: giveUpAbove(past.worse, ceiling) }
    default:
      return unreachable(past)
  }
}

/**
 * How much each side showed: requests, instance-seconds or samples. Undefined when it is absent, of another kind than
 * the metric, or cannot be right; 0 when there was nothing to see.
 */
export function amountsIn(policy: MetricPolicy, { canary, control, latencies }: Seen): Amounts {
  if (latencies) {
    return {
      canary: latencies.canary && totalOf(latencies.canary),
      control: latencies.control && totalOf(latencies.control),
    }
  }
  return { canary: amountIn(policy, canary), control: amountIn(policy, control) }
}

type Amounts = { readonly canary: number | undefined; readonly control: number | undefined }

function amountIn({ kind }: MetricPolicy, seen: Observation | undefined): number | undefined {
  switch (kind) {
    case "error-proportion":
      return readProportion(seen)?.n
    case "events":
      return readEvents(seen)?.n
    case "gauge":
      return readGauge(seen)?.length
    case "answers":
      return readAnswers(seen)?.compared
    // Latencies were read already.
    case "latency-quantile":
      return undefined
    default:
      return unreachable(kind)
  }
}

/** How much more than independent ones its single values scatter, at least 1. */
export function scatterIn(statistic: Statistic): number {
  switch (statistic.kind) {
    case "proportion":
    case "events":
      return scatterOf(statistic.dispersion)
    case "latency":
      return scatterOfLatency(statistic)
    case "gauge":
      return scatterOfLevel(statistic.shift)
    case "answers":
      return 1
    default:
      return unreachable(statistic)
  }
}

/** Its minutes hang together so much that they are next to no evidence. */
export const remembersTooMuch = (statistic: Statistic): boolean =>
  statistic.kind === "gauge" && isMemoryTooStrong(statistic.shift)

/** Of a level: how far chance takes equal sides apart, where that is too far for what is tolerated. */
export const chanceIn = (statistic: Statistic, policy: Widened): Chance | undefined =>
  statistic.kind === "gauge" ? lostInChance(statistic.shift, policy) : undefined
