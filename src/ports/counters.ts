import type { CopiedRequest } from "../core/answers/copied.ts"
import type { InstanceId } from "../core/model/ids.ts"
import type { Histogram } from "../core/model/measurement.ts"
import type { Instant } from "../core/model/time.ts"

/** What the router counted since its start, for one instance in one pool of one route. */
export type Counters = {
  /** Answered or failed; a client that went away is not counted. */
  readonly requests: number
  /** Answers 5xx, refused or broken connections, timeouts. */
  readonly bad: number
  readonly latency: Histogram
}

export type MirrorCounters = {
  readonly to: string
  readonly sent: number
  readonly dropped: number
  /** A sample of what was copied in the last seconds, where the route asks for it; oldest first. */
  readonly recent?: readonly CopiedRequest[] | undefined
  /** The same requests, on either side of the copy. */
  readonly primary: Counters
  readonly candidate: Counters
}

/** All counters of a router at one moment. A new `boot` means that they started at zero again. */
export type RouterCounters = {
  readonly boot: string
  readonly at: Instant
  readonly routes: Readonly<
    Record<
      string,
      {
        readonly pools: Readonly<Record<string, Readonly<Record<InstanceId, Counters>>>>
        readonly mirror: MirrorCounters | undefined
      }
    >
  >
}
