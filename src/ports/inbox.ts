import type { AppName, InstanceId } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"

/** What an instance tells of one metric. */
export type Pushed = {
  readonly instance: InstanceId
  readonly metric: string
  /** When it was measured; when it arrived, if the instance does not say. */
  readonly at: Instant | undefined
  readonly told: Told
}

export type Told =
  /** A level now. */
  | { readonly kind: "gauge"; readonly value: number }
  /** Happened since this instance told this metric last. */
  | { readonly kind: "events"; readonly events: number }
  /** Requests since then, and how many of them were bad. */
  | { readonly kind: "proportion"; readonly total: number; readonly bad: number }
  /** Of the requests since then, in milliseconds. */
  | { readonly kind: "latencies"; readonly latencies: readonly number[] }

/** Keeps what instances tell until the judge has looked, in memory and for minutes: what is lost is absent, not zero. */
export interface Inbox {
  /** How many were new: what was told with the same or an earlier time before is not counted twice. */
  accept(app: AppName, pushed: readonly Pushed[], now: Instant): { readonly kept: number } | "full"
}
