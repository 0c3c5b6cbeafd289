import type { Strategy } from "../src/core/model/policy.ts"

/** Everything that is decided before a run: what is deployed, what breaks, what people do. Plain JSON. */
export type Scenario = {
  readonly seed: number
  /** Control planes that share one store. */
  readonly replicas: number
  readonly apps: readonly AppPlan[]
  /** How likely each fault of a call is inside a burst. */
  readonly calls: Readonly<Partial<Record<CallFault, number>>>
  /** When calls misbehave, in virtual milliseconds. */
  readonly bursts: readonly (readonly [from: number, to: number])[]
  readonly happenings: readonly Happening[]
  /** From here on nothing breaks any more. */
  readonly calmFrom: number
  /** Whatever befalls a call by chance lasts no longer, in virtual milliseconds; absent: 20 s, that of a late copy. */
  readonly longestFault?: number | undefined
}

/** A small world: one application with a good first release that serves, and a second one that comes later. */
export const twoReleases = (plan: {
  readonly seed: number
  readonly replicas: number
  readonly size: number
  readonly secondAt: number
  readonly nature: Nature
  readonly happenings: readonly Happening[]
  readonly calmFrom: number
}): Scenario => ({
  seed: plan.seed,
  replicas: plan.replicas,
  apps: [
    {
      name: "papi",
      strategy: "immutable",
      size: plan.size,
      gate: false,
      mirror: false,
      secondRegion: false,
      freeze: undefined,
      releases: [
        { at: 0, nature: "good", irreversible: false },
        { at: plan.secondAt, nature: plan.nature, irreversible: false },
      ],
    },
  ],
  calls: {},
  bursts: [],
  happenings: plan.happenings,
  calmFrom: plan.calmFrom,
})

export type AppPlan = {
  readonly name: string
  readonly strategy: Strategy
  /** Instances in production. */
  readonly size: number
  readonly gate: boolean
  readonly mirror: boolean
  readonly secondRegion: boolean
  /** Whether there is a region below production; absent: there is. */
  readonly sandbox?: boolean | undefined
  /** A window in which production stands still, in virtual milliseconds. */
  readonly freeze: readonly [from: number, until: number] | undefined
  /** How often an instance is ended on purpose and a region is rebuilt beside itself, in virtual milliseconds. */
  readonly rehearsals?: { readonly failures: number; readonly drill: number } | undefined
  readonly releases: readonly ReleasePlan[]
}

/** What a commit is really like; the control plane has to find out. */
export type Nature =
  | "good"
  /** A third of its answers fail. */
  | "errors"
  /** The same, as soon as it carries half of the traffic. */
  | "bad-under-load"
  /** The same, 15 s after it first met a user. */
  | "bad-later"
  | "never-healthy"
  | "crashes"
  | "failing-test"
  | "unbuildable"

export type ReleasePlan = { readonly at: number; readonly nature: Nature; readonly irreversible: boolean }

export const callFaults = [
  "drop",
  "lost-ack",
  "delay",
  "slow-ack",
  "duplicate",
  "refuse",
  "crash-before",
  "crash-after",
] as const
export type CallFault = (typeof callFaults)[number]

/** Something that happens by itself at a moment. */
export type Happening = { readonly at: number } & (
  | { readonly kind: "crash"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "pause"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "partition"; readonly replica: number; readonly from: Target; readonly forMs: number }
  | { readonly kind: "clock-jump"; readonly replica: number; readonly byMs: number }
  | { readonly kind: "clock-rate"; readonly replica: number; readonly rate: number }
  | { readonly kind: "instance-crash"; readonly pick: number }
  | { readonly kind: "instance-flap"; readonly pick: number; readonly forMs: number }
  | { readonly kind: "instance-modified"; readonly pick: number }
  /** Its server no longer knows it. */
  | { readonly kind: "instance-vanish"; readonly pick: number }
  /** Whatever all of them depend on is broken: every instance fails a third of its requests. */
  | { readonly kind: "sick-world"; readonly forMs: number }
  | { readonly kind: "router-restart" }
  | { readonly kind: "router-unreachable"; readonly forMs: number }
  | { readonly kind: "metrics"; readonly lie: MetricsLie; readonly forMs: number }
  | { readonly kind: "source"; readonly lie: "unreachable" | "back"; readonly forMs: number }
  | { readonly kind: "store"; readonly lie: "read-only" | "full"; readonly forMs: number }
  | { readonly kind: "traffic"; readonly factor: number; readonly forMs: number }
  | { readonly kind: "kill-switch"; readonly forMs: number }
  | { readonly kind: "operator"; readonly order: OperatorOrder; readonly pick: number }
)

export type Target = "store" | "agent" | "source" | "notifier"

export type MetricsLie = "blind" | "frozen" | "reset" | "zero" | "nan"

export type OperatorOrder =
  | "halt"
  | "rollback"
  | "lock"
  | "unlock"
  | "pause"
  | "resume"
  | "approve-stale"
  | "approve-old-evidence"
  | "approve-as-author"
  | "retry"
  | "deploy"
  | "replace-instance"
  /** The whole application; whoever is on duty adds it again when all is calm. */
  | "remove"
