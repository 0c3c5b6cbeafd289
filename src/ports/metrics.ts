import type { CopiedRequest } from "../core/answers/copied.ts"
import type { AppName, InstanceId } from "../core/model/ids.ts"
import type { Observation } from "../core/model/measurement.ts"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { Instant } from "../core/model/time.ts"
import type { Cohort } from "../core/pipeline/effects.ts"

export type MetricQuestion = {
  readonly app: AppName
  readonly metric: MetricPolicy
  readonly cohort: Cohort
  /** Where the cohort's instances answer, `host:port`; one that has no address yet is absent. */
  readonly addresses: Readonly<Record<InstanceId, string>>
  /** Where the control's instances answer; only for a metric that holds one side's answers against the other's. */
  readonly against?: Readonly<Record<InstanceId, string>>
  /** What was copied to the candidate since the last question, a sample; only for such a metric. */
  readonly copied?: readonly CopiedRequest[]
  /** Closed interval that has passed. */
  readonly from: Instant
  readonly to: Instant
}

/**
 * Asks an outside monitoring system, or the instances. Resolves to undefined when there is no data: an empty
 * result, NaN, stale or future samples. Throws, with a sentence, when it cannot be asked or what it says cannot
 * be read. Neither is ever zero. Questions of one metric follow one another without gaps, so that a source
 * that reads counters may answer with what they grew by since it was last asked.
 * Every source passes `src/testing/metrics-contract.ts`.
 */
export interface MetricsSource {
  observe(question: MetricQuestion, signal: AbortSignal): Promise<Observation | undefined>
}
