import type { Crowd } from "./crowd.ts"
import type { UnderWay } from "./instance.ts"
import type { Limits } from "./limits.ts"
import type { MirrorPair } from "./mirror-counters.ts"
import type { RequestHead } from "./request-head.ts"
import type { Route } from "./route.ts"
import type { Origin } from "./write-head.ts"

/** Something with a deadline, looked at by the one coarse tick. */
export interface Ticking extends UnderWay {
  tick(now: number): void
}

/** What all requests of a data plane share. */
export type Traffic = {
  readonly limits: Limits
  /** Milliseconds that never go back: for how long something took. */
  readonly now: () => number
  /** The same as of the last tick: for what is looked at only once in a tick. */
  readonly coarse: () => number
  /** As of the last tick, in the time that this process lived through: for deadlines. See `OwnTime`. */
  readonly lived: () => number
  /** A moment of that time that is at least so many milliseconds away, and at most a tick more. */
  readonly after: (ms: number) => number
  /** Requests, tunnels and copies that are under way. */
  readonly underWay: Crowd<Ticking>
  /** Requests that are being made a second time right now. */
  readonly replays: { active: number }
  readonly requestId: () => string
  /** A value for a cookie that recognises a user. */
  readonly userId: () => string
  /** Copies a request to the mirror of its route, where that is wanted; undefined when it was not copied. */
  readonly copy: (route: Route, head: RequestHead, origin: Origin) => MirrorPair | undefined
}
