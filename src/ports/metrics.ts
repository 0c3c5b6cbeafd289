import type { Observation } from "../core/model/measurement.ts"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { Instant } from "../core/model/time.ts"
import type { Cohort } from "../core/pipeline/effects.ts"

export type MetricQuestion = {
  readonly metric: MetricPolicy
  readonly cohort: Cohort
  /** Closed interval that has passed. */
  readonly from: Instant
  readonly to: Instant
}

/**
 * Asks an outside monitoring system. Resolves to undefined when there is no data: an empty result, NaN,
 * stale or future samples. Throws, with a sentence, when it cannot be asked. Neither is ever zero.
 */
export interface MetricsSource {
  observe(question: MetricQuestion, signal: AbortSignal): Promise<Observation | undefined>
}
