import { type EffectMeasure, effectSize } from "./effect-size.ts"
import { mannWhitneyShift } from "./mann-whitney.ts"
import { normalQuantile } from "./normal-quantile.ts"
import { meanOf, type NanStrategy } from "./series.ts"

export type Direction = "increase" | "decrease" | "either"

/** `NodataFailMetric` counts as a failure in the score; `Nodata` is left out of it. */
export type Label = "Pass" | "High" | "Low" | "Nodata" | "NodataFailMetric"

/** How much a metric must have changed to fail, and, if it is critical, to fail everything. */
export type Effect = {
  readonly measure: EffectMeasure
  readonly allowedIncrease: number
  readonly allowedDecrease: number
  readonly criticalIncrease: number
  readonly criticalDecrease: number
}

export type Classifier = {
  readonly direction: Direction
  readonly nanStrategy: NanStrategy
  readonly critical: boolean
  readonly mustHaveData: boolean
  readonly effect: Effect
  /** Share of the estimated shift that the interval must clear. Kayenta: always 0.25. */
  readonly tolerance: number
  /** Kayenta: always 0.98. */
  readonly confidence: number
}

export type Classified = {
  readonly label: Label
  /** The effect size; 1 when the samples are equal, NaN when it cannot be told. */
  readonly deviation: number
  /** It fails the whole judgement. */
  readonly critical: boolean
}

/** What Kayenta takes when a measure's thresholds are not given: any change in that direction. */
export const noEffectAsked = (measure: EffectMeasure): Effect => {
  const neutral = measure === "cles" ? 0.5 : 1
  return {
    measure,
    allowedIncrease: neutral,
    allowedDecrease: neutral,
    criticalIncrease: neutral,
    criticalDecrease: neutral,
  }
}

/** Compares two series that have been cleaned: no NaN, no outliers. */
export function classify(canary: readonly number[], control: readonly number[], how: Classifier): Classified {
  if (canary.length === 0 || control.length === 0) return withoutData(how)
  if (sameValues(canary, control)) return { label: "Pass", deviation: 1, critical: false }
  const deviation = effectSize(how.effect.measure, canary, control)
  const constant = isConstant(canary) && isConstant(control)
  const shift = mannWhitneyShift(
    constant ? scattered(canary) : canary,
    constant ? scattered(control) : control,
    how.confidence,
  )
  const bound = how.tolerance * Math.abs(shift.estimate)
  const { allowedIncrease, allowedDecrease, criticalIncrease, criticalDecrease } = how.effect
  const unknown = Number.isNaN(deviation)
  if (how.direction !== "decrease" && shift.lower > bound && (unknown || deviation >= allowedIncrease))
    return { label: "High", deviation, critical: how.critical && (unknown || deviation >= criticalIncrease) }
  if (how.direction !== "increase" && shift.upper < -bound && (unknown || deviation <= allowedDecrease))
    return { label: "Low", deviation, critical: how.critical && (unknown || deviation <= criticalDecrease) }
  return { label: "Pass", deviation, critical: false }
}

/** The means alone; Kayenta has it, its judge does not use it. */
export function classifyByMeans(canary: readonly number[], control: readonly number[]): Label {
  if (canary.length === 0 || control.length === 0) return "Nodata"
  if (sameValues(canary, control)) return "Pass"
  const difference = meanOf(canary) - meanOf(control)
  return difference > 0 ? "High" : difference < 0 ? "Low" : "Pass"
}

/** With zeros in place of what is missing, no data on both sides means that nothing happened. */
function withoutData({ nanStrategy, mustHaveData, critical }: Classifier): Classified {
  if (nanStrategy === "replace") return { label: "Pass", deviation: 1, critical: false }
  const label = mustHaveData && !critical ? "NodataFailMetric" : "Nodata"
  return { label, deviation: Number.NaN, critical }
}

function sameValues(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  const sorted = [...b].sort((x, y) => x - y)
  return [...a].sort((x, y) => x - y).every((value, i) => value === sorted[i])
}

const isConstant = (values: readonly number[]): boolean => values.every((value) => value === values[0])

/**
 * Ranks of two constants are all ties. Kayenta adds Gaussian noise of 1e-5 of the value; here its quantiles
 * are added instead of a random draw, so that the same measurements always give the same verdict.
 */
const scattered = (values: readonly number[]): readonly number[] =>
  values.map((value, i) => value + 1e-5 * value * normalQuantile((i + 0.5) / values.length))
