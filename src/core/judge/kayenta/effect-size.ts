import { meanOf } from "./series.ts"

/** `meanRatio`: canary's mean by control's. `cles`: how likely a canary point is above a control point. */
export type EffectMeasure = "meanRatio" | "cles"

/** NaN for `meanRatio` when either mean is 0: then no effect is asked for. */
export function effectSize(
  measure: EffectMeasure,
  canary: readonly number[],
  control: readonly number[],
): number {
  return measure === "cles" ? commonLanguage(canary, control) : meanRatio(canary, control)
}

function meanRatio(canary: readonly number[], control: readonly number[]): number {
  const [above, below] = [meanOf(canary), meanOf(control)]
  return above === 0 || below === 0 ? Number.NaN : above / below
}

/** Ties count half. */
function commonLanguage(canary: readonly number[], control: readonly number[]): number {
  const above = canary.reduce(
    (sum, mine) => sum + control.reduce((of, other) => of + (mine > other ? 1 : mine === other ? 0.5 : 0), 0),
    0,
  )
  return above / (canary.length * control.length)
}
