import type { Readable } from "node:stream"
import type { Capacity } from "../core/model/capacity.ts"
import type { AppName, CommitId, Digest, InstanceId, JobId, ServerName } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { InstanceSpec, JobSpec, RouteSpec } from "../core/pipeline/effects.ts"
import type { Difference, Exit } from "../core/pipeline/events.ts"
import type { JobOutcome } from "../core/pipeline/input.ts"
import type { RouterCounters } from "./counters.ts"
import type { Applied, Fence, Released, RouterState } from "./router.ts"

export type AgentInstance = {
  readonly id: InstanceId
  readonly app: AppName
  /** `ready`: its health probe passes, with hysteresis. */
  readonly state: "starting" | "ready" | "unready" | "ended"
  readonly address: string | undefined
  readonly startedAt: Instant
  readonly exit: Exit | undefined
  readonly memory: number | undefined
  readonly differences: readonly Difference[]
  /** What the last failing probe said. */
  readonly probe: string | undefined
}

export type AgentJob = {
  readonly id: JobId
  readonly app: AppName
  readonly state: "running" | "ended"
  readonly startedAt: Instant
  readonly outcome: JobOutcome | undefined
}

/** What is on one server, of the applications that were asked for, at one moment. */
export type Observed = {
  readonly server: ServerName
  readonly at: Instant
  readonly instances: readonly AgentInstance[]
  readonly jobs: readonly AgentJob[]
  /** Undefined, with the reason beside it, when the router does not answer. */
  readonly router: RouterState | undefined
  readonly routerProblem: string | undefined
  /** Bytes left on the disk that holds artifacts and logs. */
  readonly diskFree: number
  /** Absent where it does not say. */
  readonly capacity?: Capacity | undefined
  /** Of the agent's program; absent where it does not say. */
  readonly version?: string | undefined
  /** Of its process. */
  readonly pid?: number | undefined
}

/** Which applications have changed on a server since someone last asked. */
export type News = {
  /** To be given with the next question. */
  readonly mark: string
  /** `all`: the mark is not one of this agent's life, so nobody knows. */
  readonly changed: readonly AppName[] | "all"
}

/** `refused`: an older fence than the agent has seen, or an order outside the whitelist. */
export type Ordered =
  | { readonly kind: "done" }
  /**
   * `no-room`: nothing is wrong with the order, and it may be given again. `not-fetched`: a lean artifact came, and
   * what it leaves out could not be had; the whole one will be taken.
   */
  | {
      readonly kind: "refused"
      readonly because: string
      readonly code?: "no-room" | "not-fetched" | undefined
    }

/** `left`: how many of those that are not kept could not go yet. */
export type Pruned =
  | { readonly kind: "done"; readonly removed: number; readonly bytes: number; readonly left: number }
  | { readonly kind: "refused"; readonly because: string }

/**
 * One server. Few typed verbs, each safe to repeat; the agent refuses a writer with an older epoch, and an
 * instance id that was released or has ended. A rejected promise means: the outcome is unknown.
 */
export interface Agent {
  readonly server: ServerName
  /** It runs instances and has no router: users come to them through the routers of other servers. */
  readonly instancesOnly?: boolean
  /** The barrier after winning a lease, before the first mutation. */
  fence(app: AppName, epoch: number, signal: AbortSignal): Promise<Ordered>
  observe(apps: readonly AppName[], signal: AbortSignal): Promise<Observed>
  /**
   * Whose instances, jobs or routes are no longer as they were at a mark. Small however much runs here: who is at rest
   * is not told of. Which requests are under way, and what memory is used, is no news. It may wait `within` milliseconds
   * for something to tell; an agent that cannot answers at once.
   */
  news(since: string | undefined, signal: AbortSignal, within?: Duration): Promise<News>
  /** Brings the tree that a build needs; once per commit. */
  putSource(fence: Fence, commit: CommitId, tar: Readable, signal: AbortSignal): Promise<Ordered>
  /** Artifacts travel between servers; absent on an agent that is the only one. */
  hasArtifact?(digest: Digest, signal: AbortSignal): Promise<boolean>
  /** A tar of its files. `lean`: without what others can fetch from a registry. Throws when it is not there. */
  getArtifact?(digest: Digest, signal: AbortSignal, lean?: boolean): Promise<Readable>
  /** Takes in only what has this digest; anything else throws. */
  putArtifact?(fence: Fence, digest: Digest, tar: Readable, signal: AbortSignal): Promise<Ordered>
  /**
   * Removes what was built or brought for this application and is not on the list, unless another application has it
   * too, an instance is recorded with it, or it came a moment ago. What nobody's order brought is left alone.
   * `nothing`: the application was removed.
   */
  keepArtifacts?(fence: Fence, keep: readonly Digest[] | "nothing", signal: AbortSignal): Promise<Pruned>
  runJob(fence: Fence, job: JobSpec, url: string | undefined, signal: AbortSignal): Promise<Ordered>
  startInstance(fence: Fence, instance: InstanceSpec, signal: AbortSignal): Promise<Ordered>
  /** Refused unless the router released the id. */
  stopInstance(fence: Fence, instance: InstanceId, grace: Duration, signal: AbortSignal): Promise<Ordered>
  setRoutes(fence: Fence, routes: readonly RouteSpec[], signal: AbortSignal): Promise<Applied>
  releaseInstance(
    fence: Fence,
    instance: InstanceId,
    drain: Duration,
    signal: AbortSignal,
  ): Promise<Released | { readonly kind: "refused"; readonly because: string }>
  counters(apps: readonly AppName[], signal: AbortSignal): Promise<RouterCounters>
  /** The log of a job or an instance from a byte on; `next` is where to go on, `ended` when no more will come. */
  log(
    of: { readonly job: JobId } | { readonly instance: InstanceId },
    from: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<LogChunk | undefined>
}

export type LogChunk = { readonly text: string; readonly next: number; readonly ended: boolean }
