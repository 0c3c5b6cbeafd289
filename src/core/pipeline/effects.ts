import type { ConfigValue } from "../model/configuration.ts"
import type {
  CommitId,
  Digest,
  InstanceId,
  JobId,
  RegionName,
  ReleaseId,
  RolloutNumber,
  ServerName,
} from "../model/ids.ts"
import type { Origin } from "../model/origin.ts"
import type { KayentaPolicy, MetricPolicy, RunPolicy, StickyPolicy } from "../model/policy.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Stage } from "../rollout/rollout.ts"

/** What the world should look like, from the state alone; and when to look again. */
export type Wanted = { readonly effects: readonly Effect[]; readonly wakeAt: Instant | undefined }

/** An order that is safe to repeat: it names the state to reach, not a change. */
export type Effect =
  | { readonly kind: "run-job"; readonly job: JobSpec }
  | { readonly kind: "start-instance"; readonly instance: InstanceSpec }
  | {
      readonly kind: "release-instance"
      readonly server: ServerName
      readonly instance: InstanceId
      readonly drain: Duration
    }
  | {
      readonly kind: "stop-instance"
      readonly server: ServerName
      readonly instance: InstanceId
      readonly grace: Duration
    }
  | { readonly kind: "set-routes"; readonly routes: readonly RouteSpec[] }
  | { readonly kind: "measure"; readonly measure: MeasureSpec }

export type JobSpec = {
  readonly id: JobId
  readonly server: ServerName
  readonly timeout: Duration
} & (
  | {
      readonly kind: "build"
      readonly commit: CommitId
      readonly origin?: Origin | undefined
      readonly command: string | undefined
      readonly output: string
      readonly network: "none" | "allowed"
    }
  | {
      readonly kind: "test"
      readonly digest: Digest
      readonly command: string
      readonly route: string
      readonly release: ReleaseId
      readonly region: RegionName
    }
)

export type InstanceSpec = {
  readonly id: InstanceId
  readonly server: ServerName
  readonly region: RegionName
  readonly release: ReleaseId
  readonly digest: Digest
  readonly run: RunPolicy
  /** What it may ask for while it runs; absent when nothing was ever configured. */
  readonly configuration?: InstanceConfiguration | undefined
}

export type InstanceConfiguration = {
  readonly version: number
  readonly values: Readonly<Record<string, ConfigValue>>
}

export type RouteSpec = {
  readonly route: string
  /** Which of the server's routers carries it; absent: the usual one. */
  readonly router?: string | undefined
  /** `host:port`; port 0 lets the router choose one and keep it. */
  readonly listen: string
  /** Tests and mirrors ask it from the same server: it speaks plain HTTP whatever its router was given certificates for. */
  readonly plain?: boolean | undefined
  /** Shuffles users anew for each rollout. */
  readonly salt: string
  readonly sticky: StickyPolicy
  /** How a side is chosen; a router that does not know the name chooses in its own way. */
  readonly selection?: "hash" | "sha256" | undefined
  readonly first?: FirstUsers | undefined
  /** New requests may wait so long for a swap; a router that cannot hold them lets the two releases overlap. */
  readonly holdRequests?: Duration | undefined
  readonly pools: readonly PoolSpec[]
  /** How the router asks instances itself; absent: it sends requests to whoever the table names. */
  readonly health?: RouteHealth | undefined
  /** The pool that takes over when the chosen one has nobody usable; never the other way round. */
  readonly stable: string | undefined
  readonly mirror: MirrorSpec | undefined
}

/** Users who are in a pool whatever the weights are: keys of the sticky kind. `pool` is absent while there is none for them. */
export type FirstUsers = { readonly keys: readonly string[]; readonly pool?: string | undefined }

export type MirrorSpec = {
  readonly to: string
  /** Share of the read-only requests, 0 to 1. */
  readonly sample: number
  readonly timeout: Duration
  /** Paths that are never asked for twice; a star is any text. */
  readonly deny?: readonly string[] | undefined
  /** Header fields that a copy carries besides the harmless ones; a router may know none but those. */
  readonly headers?: readonly string[] | undefined
  /** Whether the counters tell a sample of what is copied, so that answers can be compared. */
  readonly tell?: boolean | undefined
}

/** `unhealthy`, `healthy`: answers in a row that take an instance out and bring it back. */
export type RouteHealth = {
  readonly path: string
  readonly every: Duration
  readonly timeout: Duration
  readonly healthy: number
  readonly unhealthy: number
}

export type PoolSpec = {
  readonly pool: string
  /** Percent; the weights of a route with pools sum to 100. */
  readonly weight: number
  readonly instances: readonly { readonly id: InstanceId; readonly address: string }[]
}

/** Which cohorts are compared now. */
export type MeasureSpec = {
  readonly rollout: RolloutNumber
  /** Earlier attempts of the same release against the same control, in order: a retry goes on with their evidence. */
  readonly earlier: readonly RolloutNumber[]
  readonly region: RegionName
  readonly stage: Stage
  readonly step: number
  /** The instances of each cohort now, for sources that ask by instance and for counting crashes. */
  readonly canary: Cohort
  /** Absent: nothing to compare with, only absolute targets hold. */
  readonly control: Cohort | undefined
  readonly metrics: readonly MetricPolicy[]
  /** Another judge than ours. */
  readonly judge?: KayentaPolicy | undefined
  readonly minSamples: number
  /** Whether extra failures are bounded as well, for a ramp. */
  readonly harm?: boolean | undefined
  /** Measurements before this moment are kept and not judged. */
  readonly judgeFrom: Instant
}

/** `mirrored`: only the requests that the route copied, on this side of the copy. */
export type Cohort = {
  readonly route: string
  readonly pool: string
  readonly mirrored: boolean
  readonly instances: readonly InstanceId[]
}
