import type { AppName, InstanceId } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { RouteSpec } from "../core/pipeline/effects.ts"
import type { RouterCounters } from "./counters.ts"

/** Who writes, and which write of theirs. Compared epoch first. */
export type Fence = { readonly app: AppName; readonly epoch: number; readonly generation: number }

export type RouterState = {
  /** Of its process, where it is one of ours. */
  readonly pid: number | undefined
  /** Per application: the last table that was applied. */
  readonly apps: Readonly<
    Record<
      AppName,
      { readonly epoch: number; readonly generation: number; readonly routes: readonly RouteSpec[] }
    >
  >
  /** Where each route really listens: `127.0.0.1:8103`. */
  readonly listeners: Readonly<Record<string, string>>
  readonly inFlight: Readonly<Record<InstanceId, number>>
  /** Instances that it leaves alone for a while, because they refuse it or say that they are not well; absent where it does not tell. */
  readonly refusing?: readonly InstanceId[] | undefined
  /** Ids that are refused for ever. */
  readonly released: readonly InstanceId[]
  /** Set when it started without its last state; in plain words. */
  readonly degraded: string | undefined
}

export type Applied =
  | { readonly kind: "applied" }
  | {
      readonly kind: "refused"
      readonly code: "stale" | "invalid" | "address-in-use"
      readonly because: string
    }

export type Released =
  | { readonly kind: "released" }
  | { readonly kind: "busy"; readonly weight: number; readonly inFlight: number }

/** Where routers differ. Whatever is not said here all of them do. */
export type RouterAbilities = {
  /** Users who are not recognised are dealt out evenly; otherwise by dice, so a small share varies more. */
  readonly evenShares: boolean
  /** Its counters go on when who asks for them is restarted; otherwise a new `boot` begins. */
  readonly keepsCounters: boolean
  /** `beside`: a copy is made while the user is answered. `after`: when that is done. */
  readonly mirrors: "beside" | "after"
  /** The ways to choose a side that it knows; any other becomes the first of them. */
  readonly selections: readonly string[]
  /** New requests can wait until those on instances that lose their users have ended. */
  readonly holdsRequests: boolean
}

/** A router that this process speaks with. `close` lets go of it; it serves on. */
export type HeldRouter = Router & { readonly close: () => Promise<void> }

/** Splits traffic. It serves from its own file with everything else dead. */
export interface Router {
  readonly can: RouterAbilities
  /** Remembers an epoch: from now on older writers are refused. */
  fence(app: AppName, epoch: number, signal: AbortSignal): Promise<Applied>
  /** Replaces the whole table of one application; resolves when every worker routes by it. Safe to repeat. */
  setRoutes(fence: Fence, routes: readonly RouteSpec[], signal: AbortSignal): Promise<Applied>
  /**
   * The handshake before an instance may be ended: only at weight 0 with nothing in flight, and its id is
   * refused from then on. After `drain` at weight 0 what is left is closed.
   */
  release(fence: Fence, instance: InstanceId, drain: Duration, signal: AbortSignal): Promise<Released>
  state(signal: AbortSignal): Promise<RouterState>
  /** Counters; over a connection of its own, so that losing sight does not mean losing control. */
  counters(signal: AbortSignal): Promise<RouterCounters>
}
