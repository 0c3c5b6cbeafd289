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

/** Keeps what decisions rest on. */
export interface Evidence {
  addInterval(app: AppName, rollout: RolloutNumber, interval: Interval): Promise<void>
  /** In the order they were added. */
  intervals(app: AppName, rollout: RolloutNumber, stage?: Stage): Promise<readonly Interval[]>
  /** Stores a bundle under the sha256 of its canonical JSON and returns that hash (64 hex digits). Repeatable. */
  put(bundle: unknown): Promise<string>
  /** The bundle, or undefined when there is none of that hash. */
  get(hash: string): Promise<unknown>
}
