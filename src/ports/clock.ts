import type { Duration, Instant } from "../core/model/time.ts"

/** Time as an argument. Two clocks: one for people and stored moments, one for measuring. */
export interface Clock {
  /** Wall-clock time; may jump. For display, audit and stored moments. */
  now(): Instant
  /** Milliseconds that never go back; only differences mean anything. For deadlines and leases. */
  mono(): Duration
  /** Resolves after `for`, or as soon as the signal aborts; never rejects. */
  sleep(forMs: Duration, signal?: AbortSignal): Promise<void>
}
