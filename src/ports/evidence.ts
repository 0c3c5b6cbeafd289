import type { AppName, RolloutNumber } from "../core/model/ids.ts"
import type { Measurement } from "../core/model/measurement.ts"
import type { Stage } from "../core/rollout/rollout.ts"

/** What was measured in one closed interval of one rollout. Not an event: rows with retention. */
export type Interval = {
  readonly stage: Stage
  readonly step: number
  readonly from: number
  readonly to: number
  /** Whether the judge hears it: not in the warm-up. */
  readonly judged: boolean
  readonly measurements: readonly Measurement[]
}

/** Who writes: the holder of an application, by the epoch of its lease. */
export type Writer = { readonly app: AppName; readonly epoch: number }

/** Keeps what decisions rest on. Whoever no longer holds the application writes nothing: it is told "fenced". */
export interface Evidence {
  /** Repeatable: the same interval is kept once. */
  addInterval(by: Writer, rollout: RolloutNumber, interval: Interval): Promise<"kept" | "fenced">
  /** In the order they were added. */
  intervals(app: AppName, rollout: RolloutNumber, stage?: Stage): Promise<readonly Interval[]>
  /** Stores a bundle under the sha256 of its canonical JSON and returns that hash (64 hex digits). Repeatable. */
  put(by: Writer, bundle: unknown): Promise<{ readonly hash: string } | "fenced">
  /** The bundle, or undefined when there is none of that hash. */
  get(hash: string): Promise<unknown>
}
