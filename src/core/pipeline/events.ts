import type { ConfigChange } from "../model/configuration.ts"
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
import type { Migrations } from "../model/migrations.ts"
import type { Policy, Strategy } from "../model/policy.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Gate, Hold, Look, Step, TestRun } from "../rollout/rollout.ts"
import type { DrillResult, Lock, Source } from "./application.ts"

/** Where an instance's files or environment differ from what its release says. */
export type Difference = {
  readonly path: string
  /** `written`: state that it keeps where nothing of it may be kept; told, and no reason to replace it. */
  readonly what: "changed" | "added" | "removed" | "written"
}

/** How a process ended. */
export type Exit = {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly because: string
}

/** What happened to one application, past tense. The journal holds these and nothing else. */
export type Event =
  | { readonly type: "app-added"; readonly source: Source }
  /** Its routes go and what it runs is ended; the journal stays. */
  | { readonly type: "app-removed"; readonly reason: string }
  /** Nothing of it runs any more: its name is free. */
  | { readonly type: "app-cleared" }
  | { readonly type: "app-paused"; readonly reason: string }
  /** They show instances or pools of rollouts that this journal does not have. */
  | { readonly type: "servers-ahead"; readonly seen: readonly string[]; readonly latest: RolloutNumber }
  /** Also where servers were ahead: from now on the journal counts, under numbers that nobody has used. */
  | { readonly type: "app-resumed"; readonly reason: string }
  /** Locks and freezes stand aside until then; undefined region: in all of them. */
  | {
      readonly type: "override-granted"
      readonly region: RegionName | undefined
      readonly until: Instant
      readonly reason: string
    }
  // commits and builds
  | {
      readonly type: "commit-found"
      readonly commit: CommitId
      readonly subject: string
      readonly author: string
      readonly email: string
      readonly committedAt: Instant
      readonly files: number
      readonly irreversible: boolean
      readonly migrations?: Migrations | undefined
      readonly policy: Policy
    }
  | {
      readonly type: "commit-refused"
      readonly commit: CommitId
      readonly subject: string
      readonly author: string
      readonly email: string
      readonly committedAt: Instant
      readonly problems: readonly string[]
      /** The files that it touches. */
      readonly changed?: readonly string[] | undefined
    }
  | { readonly type: "commit-superseded"; readonly commit: CommitId; readonly supersededBy: CommitId }
  | { readonly type: "commit-chosen"; readonly commit: CommitId }
  | {
      readonly type: "build-started"
      readonly commit: CommitId
      readonly job: JobId
      readonly attempt: number
    }
  | {
      readonly type: "build-succeeded"
      readonly commit: CommitId
      readonly digest: Digest
      readonly bytes: number
      readonly order: number
    }
  | {
      readonly type: "build-failed"
      readonly commit: CommitId
      readonly job: JobId
      readonly because: string
    }
  /** The newest release that is not blocked is made anew with it; none is made before the first build. */
  | {
      readonly type: "configuration-changed"
      readonly version: number
      readonly changes: readonly ConfigChange[]
      readonly release: { readonly of: ReleaseId; readonly order: number } | undefined
    }
  // a rollout's way up
  | {
      readonly type: "rollout-queued"
      readonly rollout: RolloutNumber
      readonly region: RegionName
      readonly release: ReleaseId
      readonly attempt: number
      readonly strategy: Strategy
      readonly schedule: readonly Step[]
      readonly gate: Gate | undefined
      /** What it does to what it shares with the release that serves. */
      readonly migrations?: Migrations | undefined
    }
  | {
      readonly type: "contract-held"
      readonly rollout: RolloutNumber
      readonly because: string
      readonly until: Instant | undefined
      readonly then: string
    }
  /** The pools that were kept there for a swap back are wanted no more. */
  | { readonly type: "pools-released"; readonly region: RegionName }
  | { readonly type: "gate-approved"; readonly rollout: RolloutNumber; readonly reason: string }
  | { readonly type: "gate-rejected"; readonly rollout: RolloutNumber; readonly reason: string }
  | { readonly type: "gate-expired"; readonly rollout: RolloutNumber }
  | { readonly type: "rollout-superseded"; readonly rollout: RolloutNumber; readonly supersededBy: ReleaseId }
  /** It waits before anything of it is started. */
  | {
      readonly type: "room-lacking"
      readonly rollout: RolloutNumber
      readonly of: "instances" | "memory" | "cpus"
      readonly because: string
    }
  | { readonly type: "rollout-started"; readonly rollout: RolloutNumber }
  | {
      readonly type: "provisioning-started"
      readonly rollout: RolloutNumber
      readonly step: number
      readonly deadline: Instant
    }
  | {
      readonly type: "verifying-started"
      readonly rollout: RolloutNumber
      readonly step: number
      readonly tests: readonly TestRun[]
    }
  | { readonly type: "test-passed"; readonly rollout: RolloutNumber; readonly job: JobId }
  | {
      readonly type: "test-failed"
      readonly rollout: RolloutNumber
      readonly job: JobId
      readonly because: string
    }
  | { readonly type: "mirroring-started"; readonly rollout: RolloutNumber; readonly from: RegionName }
  | { readonly type: "mirroring-skipped"; readonly rollout: RolloutNumber; readonly because: string }
  | {
      readonly type: "step-started"
      readonly rollout: RolloutNumber
      readonly step: number
      readonly weight: number
    }
  | { readonly type: "step-reached"; readonly rollout: RolloutNumber; readonly step: number }
  | {
      readonly type: "looked"
      readonly rollout: RolloutNumber
      readonly look: Look
      readonly observed: number
    }
  | { readonly type: "window-extended"; readonly rollout: RolloutNumber; readonly extensions: number }
  | { readonly type: "held"; readonly rollout: RolloutNumber; readonly hold: Hold }
  | { readonly type: "hold-ended"; readonly rollout: RolloutNumber; readonly because: string }
  | { readonly type: "bake-started"; readonly rollout: RolloutNumber }
  | { readonly type: "rollout-succeeded"; readonly rollout: RolloutNumber }
  // a rollout's way back
  | {
      readonly type: "abort-started"
      readonly rollout: RolloutNumber
      readonly because: string
      readonly to: RolloutNumber | undefined
      readonly then: "rolled-back" | "failed" | "cancelled"
      readonly automatic: boolean
    }
  /** The router acknowledged weight 0 for the new pool. */
  | { readonly type: "weight-returned"; readonly rollout: RolloutNumber }
  | { readonly type: "rolled-back"; readonly rollout: RolloutNumber }
  | { readonly type: "rollout-failed"; readonly rollout: RolloutNumber }
  | { readonly type: "rollout-cancelled"; readonly rollout: RolloutNumber; readonly because: string }
  | { readonly type: "rollback-failed"; readonly rollout: RolloutNumber; readonly because: string }
  // guards
  | { readonly type: "locked"; readonly lock: Omit<Lock, "at" | "by"> }
  | {
      readonly type: "unlocked"
      readonly lock: number
      readonly reason: string
      readonly preventive: string | undefined
    }
  | {
      readonly type: "quarantined"
      readonly release: ReleaseId
      readonly rollout: RolloutNumber | undefined
      readonly because: string
    }
  | { readonly type: "quarantine-lifted"; readonly release: ReleaseId; readonly reason: string }
  | {
      readonly type: "answers-accepted" | "answers-withdrawn"
      readonly rollout: RolloutNumber
      readonly release: ReleaseId
      readonly paths: readonly string[]
      readonly reason: string
    }
  /** What is known of a server now; neither of both: it is in use again. */
  | {
      readonly type: "server-left"
      readonly server: ServerName
      readonly lost: string | undefined
      readonly drained: string | undefined
    }
  // instances and routes
  | {
      readonly type: "instance-requested"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly pool: RolloutNumber
      readonly server: ServerName
      readonly step: number
      readonly replaces: InstanceId | undefined
    }
  | {
      readonly type: "instance-ready"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly address: string
    }
  | {
      readonly type: "instance-unready"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly because: string
    }
  | {
      readonly type: "instance-crashed"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly exit: Exit
      /** It went with whatever it ran on: no sign of what its release is like. */
      readonly lost?: boolean
    }
  | {
      readonly type: "instance-modified"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly differences: readonly Difference[]
      /** The policy says to report it only. */
      readonly stays?: boolean | undefined
    }
  | {
      readonly type: "instance-condemned"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly because: string
      /** Nothing is wrong with it: it serves until its pool is whole without it. */
      readonly freshFirst?: boolean | undefined
    }
  | {
      readonly type: "instance-retired"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly because: string
    }
  | { readonly type: "instance-released"; readonly region: RegionName; readonly instance: InstanceId }
  | { readonly type: "instance-stopped"; readonly region: RegionName; readonly instance: InstanceId }
  // rehearsals
  | {
      readonly type: "failure-planned"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly pool: RolloutNumber
      readonly kind: "kill" | "age"
    }
  /** Its pool is at full strength again, or another release came between. */
  | {
      readonly type: "failure-passed"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly full: boolean
      readonly tookMs: Duration
    }
  | {
      readonly type: "strength-missing"
      readonly region: RegionName
      readonly instance: InstanceId
      readonly ready: number
      readonly size: number
    }
  | {
      readonly type: "drill-started"
      readonly drill: number
      readonly region: RegionName
      readonly release: ReleaseId
      readonly pool: RolloutNumber
    }
  /** All its instances are healthy. */
  | { readonly type: "drill-ready"; readonly drill: number; readonly tests: readonly TestRun[] }
  | {
      readonly type: "drill-test-ended"
      readonly drill: number
      readonly job: JobId
      readonly passed: boolean
    }
  | { readonly type: "drill-ended"; readonly result: DrillResult }
  /** Everything that it started is gone. */
  | { readonly type: "drill-cleared"; readonly drill: number; readonly region: RegionName }
  | {
      readonly type: "weights-observed"
      readonly region: RegionName
      readonly weights: Readonly<Record<RolloutNumber, number>>
    }

/** An event as it is stored: who caused it, why, and when. */
export type Recorded = {
  readonly at: Instant
  /** A person's name, or `immunity`. */
  readonly by: string
  readonly because: string
  readonly event: Event
}
