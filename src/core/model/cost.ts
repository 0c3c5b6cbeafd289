import type { Duration, Instant } from "./time.ts"

/**
 * What a release costs beside what serves is instance time: each instance of the new pool until it serves alone,
 * and of the pool that is kept for a swap back after that. Three instances for a minute are three minutes.
 */
export type Cost = {
  readonly spent: Duration
  /** Instances that run beside what serves since then. */
  readonly extra: number
  readonly since: Instant
}
