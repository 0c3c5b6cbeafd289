import type { Configuration } from "../model/configuration.ts"
import type {
  AppName,
  CommitId,
  Digest,
  InstanceId,
  JobId,
  RegionName,
  ReleaseId,
  RolloutNumber,
  ServerName,
} from "../model/ids.ts"
import type { Migrations } from "../model/migrations.ts"
import type { PlannedFailure } from "../model/planned-failure.ts"
import type { Policy, RegionPolicy } from "../model/policy.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Rollout, TestRun } from "../rollout/rollout.ts"

/** Everything that is decided about one application; one journal stream folds into one of these. */
export type Application = {
  readonly app: AppName
  readonly source: Source
  readonly paused: { readonly by: string; readonly reason: string; readonly at: Instant } | undefined
  /** While it lasts, locks and freezes of that region, or of all, stand aside. */
  readonly override?: {
    readonly by: string
    readonly reason: string
    readonly at: Instant
    readonly until: Instant
    readonly region: RegionName | undefined
  }
  /** Oldest first; the newest fifty, and what is being built. */
  readonly commits: readonly Commit[]
  /** How often each commit was built; a failed build may be tried again. */
  readonly buildAttempts: Readonly<Record<CommitId, number>>
  /** Of the commits that are known, and whatever a rollout that is known needs. */
  readonly releases: Readonly<Record<ReleaseId, Release>>
  /** What the next release gets. */
  readonly configuration: Configuration
  /** In pipeline order, as the newest accepted commit lists them. */
  readonly regions: readonly Region[]
  /** The last ones of each region, and whatever something still refers to (forget.ts). */
  readonly rollouts: Readonly<Record<RolloutNumber, Rollout>>
  readonly nextRollout: RolloutNumber
  readonly nextRelease: number
  readonly locks: readonly Lock[]
  readonly nextLock: number
  readonly quarantine: Readonly<Record<ReleaseId, Quarantine>>
  /** When the system rolled back by itself; its budget is counted on these. */
  readonly automaticRollbacks: readonly Instant[]
  /** The rebuilding of a region beside itself that is under way, or not quite gone yet. */
  readonly drill?: Drill | undefined
  /** How drills ended, newest first. */
  readonly drills?: readonly DrillResult[] | undefined
  /** The number of the last drill that an earlier application of this name had. */
  readonly drillsBefore?: number | undefined
  /** Its servers show what this journal never asked for: nothing is concluded or ordered until a person says go on. */
  readonly ahead?: Ahead | undefined
  /** A person ended it; adding it again begins anew. */
  readonly removed?: Removed | undefined
  /** Servers that are lost, drained or both; all others are in use. */
  readonly left?: Readonly<Record<ServerName, Left>>
}

/** `seen`: some of the instances and pools that came later. `latest`: the highest number of a rollout among them. */
export type Ahead = {
  readonly at: Instant
  readonly seen: readonly string[]
  readonly latest: RolloutNumber
}

export type Removed = {
  readonly at: Instant
  readonly by: string
  readonly reason: string
  /** Since when nothing of it is left but its journal; until then what it ran is being ended. */
  readonly clearedAt?: Instant | undefined
}

/** Why a server is left, each in a sentence. */
export type Left = {
  /** It does not answer. */
  readonly lost: string | undefined
  /** A person wants it empty. */
  readonly drained: string | undefined
}

/** Where commits come from. */
export type Source = { readonly url: string; readonly branch: string }

export type Commit = {
  readonly id: CommitId
  readonly subject: string
  readonly author: string
  readonly email: string
  readonly at: Instant
  readonly foundAt: Instant
  readonly files: number
  /** Whether it touches a file that the policy calls irreversible. */
  readonly irreversible: boolean
  /** What it does to what releases share; absent: nothing. */
  readonly migrations?: Migrations | undefined
  /** Of one that was refused: the files that it touches, for the next one that is not. */
  readonly changed?: readonly string[] | undefined
  readonly state: CommitState
}

export type CommitState =
  | { readonly name: "waiting"; readonly policy: Policy }
  | {
      readonly name: "building"
      readonly policy: Policy
      readonly job: JobId
      readonly attempt: number
      readonly since: Instant
    }
  | { readonly name: "built" }
  | {
      readonly name: "failed"
      readonly policy: Policy
      readonly because: string
      readonly job: JobId
      readonly attempt: number
    }
  /** Its immunity.yaml is not valid; what runs stays as it is. */
  | { readonly name: "refused"; readonly problems: readonly string[] }
  | { readonly name: "superseded"; readonly policy: Policy; readonly by: CommitId }

/** An artifact with its configuration, its policy and how reversible it is: the thing that climbs the regions. */
export type Release = {
  readonly id: ReleaseId
  /** Rises with each build and change of configuration; a region only climbs by itself. */
  readonly order: number
  readonly digest: Digest
  /** Goes with the artifact wherever it goes, back as well: a configuration that stayed would make a rollback a lie. */
  readonly configuration: Configuration
  /** Who changed the configuration since it was built: authors of the release as well. */
  readonly configuredBy: readonly string[]
  readonly bytes: number
  readonly builtAt: Instant
  readonly irreversible: boolean
  readonly policy: Policy
  readonly subject: string
  readonly author: string
  readonly email: string
  /** Paths of answers whose change people accepted, besides those that its policy names. */
  readonly accepted?: readonly string[] | undefined
}

export type Region = {
  readonly name: RegionName
  readonly policy: RegionPolicy
  /** The pool that serves; a pool is named by the rollout that made it. */
  readonly stable: RolloutNumber | undefined
  /** Pools kept warm for an instant swap back, newest first. */
  readonly kept: readonly RolloutNumber[]
  /** The rollout that is queued or under way. */
  readonly active: RolloutNumber | undefined
  readonly instances: Readonly<Record<InstanceId, Instance>>
  readonly nextSerial: number
  /** What the router last acknowledged, pool by pool, in percent. */
  readonly weights: Readonly<Record<RolloutNumber, number>>
  /** Instances that were ended here on purpose, newest first. */
  readonly failures?: readonly PlannedFailure[] | undefined
}

export type Instance = {
  readonly id: InstanceId
  readonly pool: RolloutNumber
  readonly release: ReleaseId
  readonly server: ServerName
  /** The step of the schedule that asked for it; it meets traffic when that step does. */
  readonly step: number
  readonly requestedAt: Instant
  readonly state: "starting" | "ready" | "unready" | "ended"
  readonly address: string | undefined
  /** Set when it is to be replaced as soon as another one is ready: modified, or asked for by a person. */
  readonly condemned: string | undefined
  /** Condemned, and well: it serves until its pool is whole without it. */
  readonly freshFirst?: boolean | undefined
  /** It was modified, and the policy lets it stay. */
  readonly reported?: boolean | undefined
  /** Set when it is no longer wanted: out of the route, released by the router, then ended. */
  readonly retired: { readonly at: Instant; readonly because: string } | undefined
  /** The router refuses its id for ever; only now may it be ended. */
  readonly released: boolean
}

/** A region rebuilt from images alone, at an address that no user knows, to be tested and destroyed. */
export type Drill = {
  /** From 1; never reused. */
  readonly number: number
  readonly region: RegionName
  readonly release: ReleaseId
  /** The pool that serves there: what is rebuilt. */
  readonly pool: RolloutNumber
  readonly at: Instant
  readonly by: string
  /** Its instances live apart from those of the region. */
  readonly place: Region
  readonly crashes: number
  /** When all its instances were healthy. */
  readonly readyAt?: Instant | undefined
  readonly tests: readonly TestRun[]
  /** Once it is known, all that is left is to end what was started. */
  readonly result?: DrillResult | undefined
}

export type DrillResult = {
  readonly number: number
  readonly region: RegionName
  readonly release: ReleaseId
  readonly by: string
  readonly at: Instant
  readonly endedAt: Instant
  /** `gave-way`: something that users need more came between; it says nothing. */
  readonly kind: "passed" | "failed" | "gave-way"
  readonly because: string
  /** Until all instances were healthy. */
  readonly rebuiltMs?: Duration | undefined
}

export type Lock = {
  readonly id: number
  readonly scope: { readonly kind: "app" } | { readonly kind: "region"; readonly region: RegionName }
  readonly at: Instant
  readonly by: string
  readonly because: string
  readonly rollout: RolloutNumber | undefined
  readonly evidence: string | undefined
}

export type Quarantine = {
  readonly at: Instant
  readonly because: string
  readonly rollout: RolloutNumber | undefined
}
