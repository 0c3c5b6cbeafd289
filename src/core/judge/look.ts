import type { Verdict } from "../model/verdict.ts"
import type { TargetLook } from "./targets.ts"
import type { Evidence } from "./taught.ts"
import { grouped } from "./words.ts"

/** What one metric shows at this moment, before the metrics are weighed together. */
export type Look = Pick<Verdict, "unit" | "canary" | "control" | "difference" | "limit" | "harm"> & {
  /** Evidence that the canary is worse than the control; undefined when they are not compared. */
  readonly comparison: Evidence | undefined
  readonly targets: TargetLook
  /** `8.1 % of 123 requests failed, control 0.4 % of 240`. */
  readonly numbers: string
  /** `at most 0.6 % is tolerated`; absent without a control. */
  readonly tolerated: string | undefined
  /** Where else the evidence lies, when not in the numbers above. */
  readonly elsewhere?: string | undefined
  readonly promotion: Promotion
  /** Proved beside all statistics, in a sentence: may stop a rollout alone. */
  readonly proven?: string | undefined
  readonly paths?: Verdict["paths"]
}

/** Whether enough is excluded to call the metric ok, and in words what, or what is missing. */
export type Promotion = { readonly enough: boolean; readonly because: string }

/** Where there is no comparison, only targets that are surely kept make a metric ok. */
export function promotionByTargets({ kept, words }: TargetLook): Promotion {
  return kept
    ? { enough: true, because: `${words}, and breaking it is excluded` }
    : { enough: false, because: `${words}, and breaking it is not excluded yet` }
}

/** Too few requests to call anything ok; undefined when there are enough. */
export function tooFew(requests: number, minSamples: number): Promotion | undefined {
  if (requests >= minSamples) return undefined
  return { enough: false, because: `${grouped(requests)} of ${grouped(minSamples)} requests seen` }
}

export const nothingToCompare: Promotion = { enough: false, because: "there is nothing to compare it with" }
