import type { Capacity } from "../core/model/capacity.ts"
import type { InstanceId } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import type { Difference, Exit } from "../core/pipeline/events.ts"
import type { Fence } from "./router.ts"

export type RunningInstance = {
  readonly id: InstanceId
  readonly state: "running" | "ended"
  readonly address: string | undefined
  readonly startedAt: Instant
  readonly exit: Exit | undefined
  /** Resident bytes; undefined when it cannot be read. */
  readonly memory: number | undefined
  /** Where it differs from its artifact; empty when it does not. */
  readonly differences: readonly Difference[]
}

/** There is no room for an instance now: nothing is wrong with it, and it may be tried again. */
export class NoRoom extends Error {}

/**
 * Runs instances on this server. Instances outlive the process that started them and are found again.
 * Starting an id that exists is a no-op; an id that ended is never started again.
 */
export interface Compute {
  /**
   * Its instances do not reach this server's loopback: `start` is given what they are configured with and brings it
   * to them. Absent: they ask the agent, and `start` is told nothing of it.
   */
  readonly handsConfigurationOver?: true
  /** The length of a log says where it goes on with it: nobody else may shorten one. Absent: logs are shortened. */
  readonly continuesLogs?: true
  /** Throws `NoRoom` when it could be started where there is more room. */
  start(spec: InstanceSpec, by: Fence, signal: AbortSignal): Promise<void>
  /** Asks it to end, forces it after `grace`; resolves when it is gone. Unknown ids are gone already. */
  stop(id: InstanceId, grace: Duration, signal: AbortSignal): Promise<void>
  list(signal: AbortSignal): Promise<readonly RunningInstance[]>
  /** What it has room for; absent, it is what the machine has. */
  capacity?(signal: AbortSignal): Promise<Capacity>
  /** Removes what an ended instance left on disk, except its log. */
  forget(id: InstanceId): Promise<void>
}
