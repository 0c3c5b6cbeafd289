import type { PathCount } from "./measurement.ts"

/**
 * What the judge says of one metric.
 * `ok`: worse than the margin is excluded. `worse`: proved, at the alpha of the rollout.
 * `unsure`: there is data, not enough of it. `nodata`: it could not be seen; never ok, never worse.
 */
export type VerdictKind = "ok" | "worse" | "unsure" | "nodata"

/** A cohort in numbers people read, e.g. 0.031 of 1,204 requests. */
export type Summary = {
  readonly value: number
  readonly samples: number
}

export type Verdict = {
  readonly metric: string
  readonly kind: VerdictKind
  readonly critical: boolean
  /** One plain sentence with the numbers and the limit. */
  readonly because: string
  /** Unit of the values below: `%` values are fractions (0.031 is 3.1 %), `ms` milliseconds, `1` bare. */
  readonly unit: "%" | "ms" | "MB" | "per min" | "1"
  readonly canary?: Summary | undefined
  readonly control?: Summary | undefined
  /** Canary minus control with an interval for display. */
  readonly difference?: { readonly estimate: number; readonly low: number; readonly high: number } | undefined
  /** The margin: how much worse than the control is tolerated, in the unit above. */
  readonly limit?: number | undefined
  /** Natural logarithm of the evidence that it is worse (an e-value); 0 means none. */
  readonly logEvidence: number
  /** For a ramp: failures beyond the control's that are excluded (1: none yet), and requests a minute of the route. */
  readonly harm?: { readonly upTo: number; readonly perMinute: number } | undefined
  /** True when the control breaks the absolute target as well: the world is sick, not the release. */
  readonly controlAlsoBad: boolean
  /** Why the comparison is not to be relied on: the metric is then never `ok`. */
  readonly advisory?: string | undefined
  /** For answers: the paths that differ, the most suspicious first; a handful. */
  readonly paths?: readonly DifferingPath[] | undefined
}

/** A path of an answer on which the candidate differs more often than a second stable instance does. */
export type DifferingPath = PathCount & {
  /** `proven`: beyond chance, or a shape that never varied before. `accepted`: a person said it is intended. */
  readonly state: "proven" | "suspected" | "accepted"
}
