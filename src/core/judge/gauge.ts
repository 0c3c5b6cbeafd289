import type { MetricPolicy } from "../model/policy.ts"
import type { Bound, Guard } from "./guard.ts"
import { openGuard, watch } from "./guard.ts"
import type { Look, Promotion } from "./look.ts"
import { nothingToCompare, promotionByTargets } from "./look.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import { readGauge } from "./readings.ts"
import type { Seen } from "./seen.ts"
import type { Shift } from "./shift.ts"
import { foldShift, isShiftExcluded, logShift, openShift, partsOf } from "./shift.ts"
import type { Target, TargetLook } from "./targets.ts"
import { gaugeUnit, lookAtTargets, quantity, targetsOf } from "./targets.ts"
import { unforgiving } from "./taught.ts"
import { grouped, short } from "./words.ts"

/** Samples of a level: how many and their sum, and the guards of its targets. */
export type GaugeState = {
  readonly kind: "gauge"
  readonly canary: Level
  readonly control: Level
  readonly shift: Shift
  readonly guards: readonly Guard[]
}

type Level = { readonly samples: number; readonly sum: number }

export function openGauge(policy: MetricPolicy, options: JudgeOptions): GaugeState {
  const none = { samples: 0, sum: 0 }
  return {
    kind: "gauge",
    canary: none,
    control: none,
    shift: openShift,
    guards: targetsOf(policy, options.solo).map(() => openGuard),
  }
}

export function foldGauge(
  past: GaugeState,
  policy: MetricPolicy,
  options: JudgeOptions,
  pace: Pace,
  seen: Seen,
): GaugeState {
  const canary = readGauge(seen.canary) ?? []
  const control = (options.solo ? undefined : readGauge(seen.control)) ?? []
  const shift = foldShift(
    past.shift,
    policy,
    options,
    seen.phase === "warming" ? undefined : { canary, control },
    pace,
  )
  if (seen.phase === "warming") return { ...past, control: addLevel(past.control, control), shift }
  return {
    kind: "gauge",
    shift,
    canary: addLevel(past.canary, canary),
    control: addLevel(past.control, control),
    guards: targetsOf(policy, options.solo).map((target, i) => {
      const trial = (values: readonly number[]) => ({
        n: values.length > 0 ? 1 : 0,
        k: isBeyond(values, target) ? 1 : 0,
      })
      const against = options.solo ? "none" : trial(control)
      return watch(past.guards[i] ?? openGuard, bound, trial(canary), against, 1, pace)
    }),
  }
}

// One trial an interval, however many samples: samples of a level are anything but independent. A
// gauge that keeps its target is, whatever came before, beyond it in no more than every second interval.
const bound: Bound = { of: "trials", limit: 0.5, bad: "above" }

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

const addLevel = (past: Level, values: readonly number[]): Level => ({
  samples: past.samples + values.length,
  sum: past.sum + total(values),
})

function isBeyond(values: readonly number[], { side, value }: Target): boolean {
  if (values.length === 0) return false
  const mean = total(values) / values.length
  return side === "max" ? mean > value : mean < value
}

export function lookAtGauge(state: GaugeState, policy: MetricPolicy, options: JudgeOptions): Look {
  const watched = targetsOf(policy, options.solo).map((target, i) => ({
    target,
    bound,
    guard: state.guards[i] ?? openGuard,
  }))
  const targets = lookAtTargets(policy, watched, options.promotionAlpha)
  const canary = summaryOf(state.canary)
  const control = summaryOf(state.control)
  return {
    unit: gaugeUnit(policy),
    canary,
    control,
    comparison: options.solo ? undefined : unforgiving(logShift(state.shift)),
    targets,
    numbers: [
      canary && `${quantity(policy, canary.value)} on average over ${grouped(canary.samples)} samples`,
      control && `control ${quantity(policy, control.value)}`,
    ]
      .filter((part) => part !== undefined)
      .join(", "),
    tolerated: control && told(policy, partsOf(policy).tolerated),
    promotion: promotionOf(state, policy, options, watched.length > 0, targets),
  }
}

const summaryOf = ({ samples, sum }: Level) => (samples > 0 ? { value: sum / samples, samples } : undefined)

const told = ({ worse }: MetricPolicy, part: number): string =>
  `${short(part * 100)} % ${worse === "up" ? "more" : "less"} is tolerated`

function promotionOf(
  { shift, control }: GaugeState,
  policy: MetricPolicy,
  options: JudgeOptions,
  hasTarget: boolean,
  targets: TargetLook,
): Promotion {
  if (hasTarget || options.solo) return promotionByTargets(targets)
  if (control.samples === 0) return nothingToCompare
  const worse = `${short(partsOf(policy).excluded * 100)} % ${policy.worse === "up" ? "more" : "less"}`
  return isShiftExcluded(shift, options.promotionAlpha)
    ? { enough: true, because: `${worse} than the control is excluded` }
    : { enough: false, because: `${worse} than the control is not excluded yet` }
}
