import type { Cost } from "../model/cost.ts"
import type { JobId, RegionName, ReleaseId, RolloutNumber } from "../model/ids.ts"
import type { Migrations } from "../model/migrations.ts"
import type { Action, Policy, RegionPolicy, Strategy } from "../model/policy.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Verdict } from "../model/verdict.ts"

/** One release into one region, one numbered attempt. */
export type Rollout = {
  readonly number: RolloutNumber
  readonly region: RegionName
  readonly release: ReleaseId
  /** The n-th try of this release in this region, from 1. */
  readonly attempt: number
  readonly strategy: Strategy
  readonly schedule: readonly Step[]
  /** The pool that served when this rollout was queued; its place to go back to. */
  readonly from: RolloutNumber | undefined
  /** The policy at the release's commit. A change of policy meets the next rollout, never this one. */
  readonly policy: Policy
  readonly queuedAt: Instant
  readonly startedAt: Instant | undefined
  readonly endedAt: Instant | undefined
  readonly phase: Phase
  /** Whether a user's request may have met it; before that there is nothing to roll back. */
  readonly hadTraffic: boolean
  /** What it does to what it shares with the release that served when it was queued. */
  readonly migrations?: Migrations | undefined
  /** The reason that was told last why its contract step waits. */
  readonly contractTold?: string | undefined
  readonly approval: Approval | undefined
  readonly crashes: number
  /** Of instances beside what serves; absent before the first one. */
  readonly cost?: Cost | undefined
  readonly looks: number
  readonly lastLook: Look | undefined
}

/** One step of a schedule. Capacity and weight are shares, 0 to 1, of a full pool and of the route. */
export type Step = {
  readonly capacity: number
  readonly weight: number
  /** Whether canary and control are compared before the next step. */
  readonly analysis: boolean
}

/** Where a rollout is; a phase carries exactly what is true in it. */
export type Phase =
  | {
      readonly name: "queued"
      readonly since: Instant
      readonly gate: Gate | undefined
      /** There is no room for its pool beside what runs. */
      readonly lacks?: { readonly of: string; readonly because: string; readonly since: Instant } | undefined
    }
  | Underway
  | { readonly name: "holding"; readonly since: Instant; readonly during: Underway; readonly hold: Hold }
  /** The weight is on its way back to the old pool. */
  | {
      readonly name: "aborting"
      readonly since: Instant
      readonly because: string
      readonly to: RolloutNumber | undefined
      readonly then: "rolled-back" | "failed" | "cancelled"
    }
  /** Weight 0 was observed; the new instances are drained, released and ended. */
  | {
      readonly name: "rolling-back"
      readonly since: Instant
      readonly because: string
      readonly to: RolloutNumber | undefined
      readonly then: "rolled-back" | "failed" | "cancelled"
    }
  | { readonly name: "succeeded"; readonly at: Instant }
  | { readonly name: "rolled-back"; readonly at: Instant; readonly because: string }
  /** Stopped before any user met it: nothing was rolled back, nothing is locked. */
  | { readonly name: "failed"; readonly at: Instant; readonly because: string }
  | { readonly name: "rollback-failed"; readonly at: Instant; readonly because: string }
  | { readonly name: "superseded"; readonly at: Instant; readonly by: ReleaseId }
  | { readonly name: "cancelled"; readonly at: Instant; readonly by: string; readonly because: string }

/** The phases that make progress by themselves. */
export type Underway =
  | {
      readonly name: "provisioning"
      readonly step: number
      readonly since: Instant
      readonly deadline: Instant
    }
  | {
      readonly name: "verifying"
      readonly step: number
      readonly since: Instant
      readonly tests: readonly TestRun[]
    }
  | { readonly name: "mirroring"; readonly since: Instant; readonly window: Window }
  | {
      readonly name: "shifting"
      readonly step: number
      readonly since: Instant
      readonly reachedAt: Instant | undefined
      readonly window: Window
    }
  /** 100 % was observed; still watched, the old pool kept. */
  | { readonly name: "baking"; readonly since: Instant; readonly window: Window }

export type PhaseName = Phase["name"]

export type TestRun = {
  readonly name: string
  readonly job: JobId
  readonly passed: boolean | undefined
  /** How it failed, in a sentence that names it. */
  readonly because?: string | undefined
}

/** Observed healthy time: how much is needed, how much was seen, how often it was extended. */
export type Window = { readonly needed: Duration; readonly observed: Duration; readonly extensions: number }

/** Why a rollout stands still, and what happens when nobody comes. */
export type Hold = {
  readonly why:
    | "blind"
    | "sick-world"
    | "unsure"
    | "halted"
    | "paused"
    | "locked"
    | "frozen"
    | "proposal"
    /** Its instances could not be started: there is no room for them. */
    | "no-room"
    | "capacity"
  readonly because: string
  /** When `then` happens; absent: it waits for a person or for the cause to go away. */
  readonly until: Instant | undefined
  readonly then: string
  /** The action that waits for a gatekeeper, when autonomy is `manual`. */
  readonly proposal: Action | undefined
  /** Whether the new pool's weight is taken to 0 while holding, or frozen where it is. */
  readonly weight: "frozen" | "zero"
}

/** What a person is asked to approve. An approval is void when any of it changes. */
export type Gate = {
  readonly openedAt: Instant
  readonly expiresAt: Instant
  /** Of the release's success in the region before, or of nothing in the first region. */
  readonly evidence: string
  readonly notAuthor: boolean
  /** Why a person is asked where the policy asks none. */
  readonly because?: string | undefined
}

export type Approval = { readonly by: string; readonly reason: string; readonly at: Instant }

/** One look of the judge and what the decision table made of it. */
export type Look = {
  readonly number: number
  readonly at: Instant
  readonly stage: Stage
  readonly verdicts: readonly Verdict[]
  readonly decision: Decision
  readonly evidence: string
}

/** Evidence is gathered apart for each: mirrored requests, the shared route, the time after 100 %. */
export type Stage = "mirroring" | "shifting" | "baking"

export type Decision = {
  readonly action: Action
  /** The rule of the table that fired, or `default`. */
  readonly rule: string
  readonly because: string
  readonly autonomy: "dry-run" | "manual" | "auto"
}

export const terminal = (phase: Phase): boolean => {
  switch (phase.name) {
    case "succeeded":
    case "rolled-back":
    case "failed":
    case "rollback-failed":
    case "superseded":
    case "cancelled":
      return true
    default:
      return false
  }
}

/** The region's policy that this rollout follows. */
export function regionPolicy(rollout: Rollout): RegionPolicy {
  const region = rollout.policy.regions.find((r) => r.name === rollout.region)
  if (!region) throw new Error(`rollout ${rollout.number}: region ${rollout.region} is not in its own policy`)
  return region
}
