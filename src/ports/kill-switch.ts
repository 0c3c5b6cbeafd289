import type { Instant } from "../core/model/time.ts"

/** Who stopped everything, when and why. */
export type Killed = { readonly by: string; readonly at: Instant; readonly reason: string }

/** One switch for all control planes of a store: while it is set, nothing is changed anywhere. */
export interface KillSwitch {
  /** Undefined while it is not set. */
  read(): Promise<Killed | undefined>
  /** Repeatable: who set it first stays known. */
  set(by: string, reason: string): Promise<void>
  lift(): Promise<void>
}
