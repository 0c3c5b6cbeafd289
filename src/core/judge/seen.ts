import type { Measurement, Observation } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Tails } from "./histogram.ts"
import { readTails } from "./readings.ts"

/**
 * What the cohorts showed in one interval. In the warm-up a good canary may be worse, so it is held
 * against wider margins.
 */
export type Seen = {
  readonly canary: Observation | undefined
  readonly control: Observation | undefined
  readonly phase: "warming" | "judged"
  /** Of a latency: what both sides showed as it was read, once, for it is long. */
  readonly latencies?: Latencies | undefined
}

type Latencies = { readonly canary: Tails | undefined; readonly control: Tails | undefined }

/** An interval as this metric sees it. */
export const seenIn = (
  { kind }: MetricPolicy,
  { canary, control }: Measurement,
  phase: Seen["phase"],
): Seen => ({
  canary,
  control,
  phase,
  latencies:
    kind === "latency-quantile" ? { canary: readTails(canary), control: readTails(control) } : undefined,
})

/**
 * The canary's numbers that sentences speak of: those of the warm-up until judging begins, then only the judged.
 * `none` is what they begin with.
 */
export function numbersSoFar<Numbers, Now>(
  past: { readonly begun: boolean; readonly canary: Numbers },
  now: Now,
  phase: Seen["phase"],
  add: (past: Numbers, now: Now) => Numbers,
  none: Numbers,
): Numbers {
  if (phase === "warming") return past.begun ? past.canary : add(past.canary, now)
  return add(past.begun ? past.canary : none, now)
}

/** Whether judging began, after an interval of this phase. */
export const hasBegun = (past: { readonly begun: boolean }, phase: Seen["phase"]): boolean =>
  past.begun || phase === "judged"

/** Whether an interval of this phase is of the warm-up before anything was judged. */
export const isFirstWarmUp = (past: { readonly begun: boolean }, phase: Seen["phase"]): boolean =>
  phase === "warming" && !past.begun
