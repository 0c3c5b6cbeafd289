import type { ConfigChange } from "../model/configuration.ts"
import type {
  CommitId,
  Digest,
  InstanceId,
  JobId,
  RegionName,
  RolloutNumber,
  ServerName,
} from "../model/ids.ts"
import type { Policy } from "../model/policy.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Verdict } from "../model/verdict.ts"
import type { Stage } from "../rollout/rollout.ts"
import type { Source } from "./application.ts"
import type { Difference, Exit } from "./events.ts"

/** Who asks. `immunity` is the system itself. */
export type Actor = string

/** What a person orders. */
export type Command =
  | { readonly type: "add-app"; readonly source: Source }
  | { readonly type: "remove-app"; readonly reason: string }
  /** As a hotfix it does not wait for what is under way: that is taken back to what serves, without blame. */
  | {
      readonly type: "deploy"
      readonly commit: CommitId | undefined
      readonly reason: string
      readonly hotfix?: boolean
    }
  /** An emergency: locks and freezes stand aside for a time. */
  | {
      readonly type: "override"
      readonly region: RegionName | undefined
      readonly duration: Duration
      readonly reason: string
    }
  | {
      readonly type: "approve"
      readonly rollout: RolloutNumber
      readonly reason: string
      readonly bound: Bound
    }
  | { readonly type: "reject"; readonly rollout: RolloutNumber; readonly reason: string }
  | { readonly type: "halt"; readonly rollout: RolloutNumber; readonly reason: string }
  | { readonly type: "rollback"; readonly rollout: RolloutNumber; readonly reason: string }
  /** Resumes a held rollout, or the whole application when it is paused. */
  | { readonly type: "resume"; readonly rollout: RolloutNumber | undefined; readonly reason: string }
  | { readonly type: "pause"; readonly reason: string }
  /** The release means to change these paths of its answers. */
  | {
      readonly type: "accept-answers"
      readonly rollout: RolloutNumber
      readonly paths: readonly string[]
      readonly reason: string
    }
  /** What people accepted of its answers, taken back. */
  | {
      readonly type: "withdraw-answers"
      readonly rollout: RolloutNumber
      readonly paths: readonly string[]
      readonly reason: string
    }
  | { readonly type: "retry"; readonly rollout: RolloutNumber; readonly reason: string }
  | { readonly type: "lock"; readonly region: RegionName | undefined; readonly reason: string }
  | {
      readonly type: "unlock"
      readonly lock: number
      readonly reason: string
      readonly preventive: string | undefined
    }
  | { readonly type: "configure"; readonly changes: readonly ConfigChange[]; readonly reason: string }
  /** The values of an earlier version, as a new one. */
  | { readonly type: "restore-configuration"; readonly version: number; readonly reason: string }
  /** Rebuilds a region beside itself; the first one in production when none is named. */
  | { readonly type: "drill"; readonly region: RegionName | undefined; readonly reason: string }
  /** Gives up the pools that are kept there for a swap back. */
  | { readonly type: "release-pools"; readonly region: RegionName; readonly reason: string }
  | { readonly type: "replace-instance"; readonly instance: InstanceId; readonly reason: string }

/** What an approver saw. Anything that is given must still be true. */
export type Bound = { readonly digest?: Digest | undefined; readonly evidence?: string | undefined }

/** What the world reports. */
export type Fact =
  | {
      readonly type: "commit-seen"
      /** Where it was read; absent: where the application has its commits from. */
      readonly source?: Source | undefined
      readonly commit: CommitId
      readonly subject: string
      readonly author: string
      readonly email: string
      readonly committedAt: Instant
      /** Paths that it touches. */
      readonly changed: readonly string[]
      readonly config: { readonly policy: Policy } | { readonly problems: readonly string[] }
    }
  | { readonly type: "job-ended"; readonly job: JobId; readonly outcome: JobOutcome }
  | {
      readonly type: "observed"
      readonly servers: readonly ServerFacts[]
      /** Servers that did not answer or shall be left; absent: nothing is said of that. */
      readonly standings?: readonly ServerStanding[]
      /** Ids that no router sends anybody to any more; empty while one of them does not answer. */
      readonly letGo?: readonly InstanceId[]
    }
  | {
      readonly type: "looked"
      readonly rollout: RolloutNumber
      readonly stage: Stage
      readonly verdicts: readonly Verdict[]
      readonly sourceBroken: boolean
      /** Observed time, in milliseconds, in this stage and step; only intervals in which both cohorts were seen. */
      readonly observed: Duration
      readonly evidence: string
      /** Instances that refuse the router's connections or fail its checks, whatever the agent's probe says. */
      readonly refusing?: readonly InstanceId[] | undefined
    }
  /** Time has passed: deadlines are looked at. */
  | { readonly type: "tick" }

export type JobOutcome =
  | { readonly kind: "built"; readonly digest: Digest; readonly bytes: number }
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly because: string }

export type ServerStanding = {
  readonly server: ServerName
  /** How long it has not answered, and what is seen instead; undefined: it answers. */
  readonly silent: { readonly forMs: Duration; readonly because: string } | undefined
  /** Why a person wants it empty. */
  readonly drained: string | undefined
}

/** One server as it is now. A server that did not answer is absent: unknown, not empty. */
export type ServerFacts = {
  readonly server: ServerName
  readonly instances: readonly InstanceFacts[]
  /** Jobs of the application that it remembers; absent: nothing is said of them. */
  readonly jobs?: readonly JobId[]
  /** Acknowledged weights in percent by route, then by pool name; absent: no router spoke. */
  readonly routes: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined
  /** Ids that the router refuses for ever. */
  readonly released: readonly InstanceId[]
}

export type InstanceFacts = {
  readonly instance: InstanceId
  readonly state: "starting" | "ready" | "unready" | "ended"
  readonly address: string | undefined
  readonly exit: Exit | undefined
  readonly differences: readonly Difference[]
}

export type Input = { readonly at: Instant; readonly by: Actor } & (Command | Fact)

/** The name of a pool in the router: the rollout that made it. */
export const poolName = (rollout: RolloutNumber): string => `r${rollout}`
export const poolNumber = (name: string): RolloutNumber => Number(name.slice(1))

/** The route of a region, and the one that tests and mirrored requests use to reach a new pool alone. */
export const routeName = (app: string, region: RegionName): string => `${app}/${region}`
export const previewName = (app: string, region: RegionName): string => `${app}/${region}/preview`
