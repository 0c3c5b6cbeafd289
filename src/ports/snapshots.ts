import type { AppName } from "../core/model/ids.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Packed } from "./packed.ts"

/** What an application's events come to at one place of its stream. It saves folding; what is true are the events. */
export type Snapshot = {
  readonly stream: AppName
  /** The last event that is folded into it, and the hash of that event. */
  readonly version: number
  readonly hash: string
  readonly state: Application
  /** The same state, where it was read from a store that keeps it so. */
  readonly packed?: Packed | undefined
}

/** At most one snapshot of a stream, of the code that folds here: one that other code folded is none. */
export interface Snapshots {
  /** Keeps them all or none, each instead of an older one of its stream. */
  keep(snapshots: readonly Snapshot[]): Promise<void>
  /**
   * Of these streams, where there is one: whole, folded by this code, and standing on the event that it names.
   * Whatever is not so is left out, and the stream is folded from its first event.
   */
  read(streams: readonly AppName[]): Promise<readonly Snapshot[]>
}

/** For a store that keeps none. */
export const noSnapshots: Snapshots = { keep: async () => {}, read: async () => [] }
