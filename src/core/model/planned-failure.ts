import type { InstanceId, RolloutNumber } from "./ids.ts"
import type { Instant } from "./time.ts"

/** An instance that was ended on purpose, and how its pool took it. */
export type PlannedFailure = {
  readonly at: Instant
  /** `kill`: gone at once, users on the others. `age`: it was too old; a fresh one came first. */
  readonly kind: "kill" | "age"
  readonly instance: InstanceId
  readonly pool: RolloutNumber
  /** When it should have been at full strength again and was not. */
  readonly late?: Instant | undefined
  /** `full`: at full strength again. Otherwise another release or a rollout came between. */
  readonly end?: { readonly at: Instant; readonly full: boolean } | undefined
}
