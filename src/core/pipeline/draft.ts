import type { RoomSeen } from "../model/capacity.ts"
import type { RegionName, RolloutNumber, ServerName } from "../model/ids.ts"
import type { Instant } from "../model/time.ts"
import type { Rollout } from "../rollout/rollout.ts"
import type { Application, Region } from "./application.ts"
import type { Event, Recorded } from "./events.ts"
import { evolve } from "./evolve.ts"

/** What the whole system allows at this moment, in sentences; what is absent is not limited. */
export type Limits = {
  /** Why nothing new is built or started: its disk is full. */
  readonly nothingNew?: string | undefined
  /** Why nothing that waits begins by itself: the kill switch is set. What people order is written down. */
  readonly killed?: string | undefined
  /** Why nothing is taken back without a person: the budget over all applications is spent. */
  readonly noAutomaticRollback?: string | undefined
  /** What the clocks on the wall show in a time zone: the core knows no calendars. */
  readonly local?: ((at: Instant, zone: string) => LocalTime) | undefined
  /** What there is room for, as the servers said last. */
  readonly room?: RoomSeen | undefined
}

/** `day`: 0 for Sunday. `minute`: since midnight. */
export type LocalTime = { readonly day: number; readonly minute: number }

/** A decision being made: each event is true at once for the rules that come after it. */
export class Draft {
  readonly at: Instant
  readonly limits: Limits
  readonly events: Recorded[] = []
  /** Servers that answered just now: of what runs on others nothing new is known. */
  answering: ReadonlySet<ServerName> = new Set()
  /**
   * A router said just now how it splits, after the last order was answered or given up. What was seen before says
   * nothing of a table that is still on its way, and neither does a look that nobody answered.
   */
  sawRouter = false
  state: Application
  readonly #by: string

  constructor(state: Application, at: Instant, by: string, limits: Limits = {}) {
    this.state = state
    this.at = at
    this.#by = by
    this.limits = limits
  }

  /** Records what happened, because of what; by the actor of the input unless said otherwise. */
  add(event: Event, because: string, by: string = this.#by): void {
    const recorded: Recorded = { at: this.at, by, because, event }
    this.events.push(recorded)
    this.state = evolve(this.state, recorded)
  }

  /** The system itself concluded this. */
  conclude(event: Event, because: string): void {
    this.add(event, because, "immunity")
  }

  rollout(number: RolloutNumber): Rollout | undefined {
    return this.state.rollouts[number]
  }

  region(name: RegionName): Region | undefined {
    return this.state.regions.find((region) => region.name === name)
  }
}

/** Told to the one who asked: which rule said no, why, and what to do next. */
export type Refusal = {
  readonly code:
    | "unknown"
    | "locked"
    | "frozen"
    | "paused"
    | "quarantined"
    | "stale"
    | "not-allowed"
    | "wrong-phase"
    | "reason-missing"
    | "no-room"
    | "removed"
    | "set-aside"
    | "bad-request"
    | "behind"
    | "key-reused"
  readonly message: string
}

export const refuse = (code: Refusal["code"], message: string): Refusal => ({ code, message })
