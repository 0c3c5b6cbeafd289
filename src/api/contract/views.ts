import { type Static, Type } from "typebox"

/** What every page, command and client sees: one vocabulary, one shape. Instants are milliseconds since the epoch. */
const maybe = <T extends Parameters<typeof Type.Optional>[0]>(type: T) => Type.Optional(type)

export const VerdictView = Type.Object({
  metric: Type.String(),
  kind: Type.Union([
    Type.Literal("ok"),
    Type.Literal("worse"),
    Type.Literal("unsure"),
    Type.Literal("nodata"),
  ]),
  critical: Type.Boolean(),
  because: Type.String(),
  unit: Type.String(),
  canary: maybe(Type.Object({ value: Type.Number(), samples: Type.Number() })),
  control: maybe(Type.Object({ value: Type.Number(), samples: Type.Number() })),
  difference: maybe(Type.Object({ estimate: Type.Number(), low: Type.Number(), high: Type.Number() })),
  limit: maybe(Type.Number()),
  /** Why the comparison is not to be relied on; the metric is then never `ok`. */
  advisory: maybe(Type.String()),
  /** Of a ramp: extra failures that are excluded, as a fraction, and requests a minute. */
  harm: maybe(Type.Object({ upTo: Type.Number(), perMinute: Type.Number() })),
})
export type VerdictView = Static<typeof VerdictView>

const AnswersView = Type.Object({
  /** Requests that were compared. */
  compared: Type.Number(),
  /** Where the candidate answers otherwise, the most suspicious first; shapes, no contents. */
  paths: Type.Array(
    Type.Object({
      endpoint: Type.String(),
      path: Type.String(),
      state: Type.Union([Type.Literal("proven"), Type.Literal("suspected"), Type.Literal("accepted")]),
      structural: Type.Boolean(),
      raw: Type.Number(),
      noise: Type.Number(),
      stable: maybe(Type.String()),
      candidate: maybe(Type.String()),
      because: Type.String(),
    }),
  ),
  /** What its commit and people accepted for this release. */
  accepted: Type.Array(Type.String()),
  /** Those of them that people accepted: they may take them back. */
  withdrawable: Type.Array(Type.String()),
})
export type AnswersView = Static<typeof AnswersView>

const DecisionView = Type.Object({
  action: Type.String(),
  rule: Type.String(),
  because: Type.String(),
  autonomy: Type.String(),
})

const LookView = Type.Object({
  number: Type.Number(),
  at: Type.Number(),
  stage: Type.String(),
  verdicts: Type.Array(VerdictView),
  decision: DecisionView,
  evidence: Type.String(),
})

const WaitView = Type.Object({
  /** What it waits for, in words. */
  for: Type.String(),
  since: Type.Number(),
  until: maybe(Type.Number()),
  /** What happens then. */
  then: Type.String(),
})

export const Tone = Type.Union([
  Type.Literal("ok"),
  Type.Literal("bad"),
  Type.Literal("busy"),
  Type.Literal("wait"),
  Type.Literal("none"),
])
export type Tone = Static<typeof Tone>

const MigrationView = Type.Object({
  /** `contract`: it takes away what releases older than the running one may need. */
  kind: Type.Union([Type.Literal("expand"), Type.Literal("contract")]),
  paths: Type.Array(Type.String()),
  /** What both releases share while both run, and what is promised about it. */
  shared: Type.Array(Type.String()),
  /** The compatibility window in one sentence: which releases run together, or until when one may go back. */
  window: Type.String(),
  /** Why it is not swapped back any more. */
  noWayBack: maybe(Type.String()),
  /** Regions whose kept pools it waits for. */
  waitsForKept: Type.Array(Type.String()),
})
export type MigrationView = Static<typeof MigrationView>

export const RolloutSummary = Type.Object({
  number: Type.Number(),
  region: Type.String(),
  commit: Type.String(),
  subject: Type.String(),
  author: Type.String(),
  attempt: Type.Number(),
  strategy: Type.String(),
  phase: Type.String(),
  tone: Tone,
  /** One plain sentence: where it is, with the number, the limit and the time. */
  sentence: Type.String(),
  queuedAt: Type.Number(),
  startedAt: maybe(Type.Number()),
  endedAt: maybe(Type.Number()),
  weight: Type.Number(),
  wait: maybe(WaitView),
  migration: maybe(Type.String()),
  /** Whether a person may or must act. */
  asks: Type.Boolean(),
})
export type RolloutSummary = Static<typeof RolloutSummary>

export const TimelineEntry = Type.Object({
  sequence: Type.Number(),
  version: Type.Number(),
  at: Type.Number(),
  by: Type.String(),
  type: Type.String(),
  title: Type.String(),
  because: Type.String(),
  rollout: maybe(Type.Number()),
  region: maybe(Type.String()),
  evidence: maybe(Type.String()),
})
export type TimelineEntry = Static<typeof TimelineEntry>

/** One metric over time; gaps where a cohort could not be seen. In the unit of the metric's verdict. */
export const Series = Type.Object({
  metric: Type.String(),
  points: Type.Array(
    Type.Object({ at: Type.Number(), canary: maybe(Type.Number()), control: maybe(Type.Number()) }),
  ),
})
export type Series = Static<typeof Series>

const CostView = Type.Object({
  /** Instance minutes of this rollout beside what serves. */
  minutes: Type.Number(),
  /** Instances beside what serves now. */
  extra: Type.Number(),
  /** Of its release over all regions, and what that may be; absent without a budget. */
  ofRelease: maybe(Type.Number()),
  budget: maybe(Type.Number()),
  /** What it takes next to what serves, and what happens when the budget is spent. */
  says: Type.Array(Type.String()),
})
export type CostView = Static<typeof CostView>

export const RolloutView = Type.Object({
  app: Type.String(),
  summary: RolloutSummary,
  /** Why nothing of its application is changed, whatever is said here, and what to do. */
  behind: maybe(Type.String()),
  digest: maybe(Type.String()),
  evidence: Type.String(),
  from: maybe(Type.Object({ number: Type.Number(), commit: Type.String() })),
  /** The configuration that comes with it, and how it differs from what it replaces. */
  configuration: Type.Object({ version: Type.Number(), changes: Type.Array(Type.String()) }),
  /** Absent where its commits change nothing that releases share. */
  migration: maybe(MigrationView),
  steps: Type.Array(Type.Object({ capacity: Type.Number(), weight: Type.Number(), state: Type.String() })),
  window: maybe(Type.Object({ needed: Type.Number(), observed: Type.Number(), extensions: Type.Number() })),
  /** Those under way, and those that failed; `job` names the log. */
  tests: Type.Array(
    Type.Object({
      name: Type.String(),
      job: Type.String(),
      passed: maybe(Type.Boolean()),
      because: maybe(Type.String()),
    }),
  ),
  look: maybe(LookView),
  /** What its ramp promises, in one sentence. */
  bound: maybe(Type.String()),
  /** What its comparison can see at the traffic there is, one sentence a metric; empty when it is over. */
  foresight: Type.Array(Type.String()),
  cost: CostView,
  /** What rehearsals showed of its region, one sentence each. */
  rehearsals: Type.Array(Type.String()),
  /** Absent where its answers are not compared. */
  answers: maybe(AnswersView),
  series: Type.Array(Series),
  actions: Type.Array(Type.String()),
  /** What each of these actions will do, one sentence each. */
  consequences: Type.Record(Type.String(), Type.Array(Type.String())),
  /** Who was hurt: requests that the release answered badly while it had users, and for how long. */
  harm: Type.Object({ requests: Type.Number(), bad: Type.Number(), milliseconds: Type.Number() }),
  /** Of one that was taken back: who serves instead, and how long after the decision the last user was there. */
  back: maybe(Type.Object({ to: Type.String(), milliseconds: Type.Number() })),
  timeline: Type.Array(TimelineEntry),
})
export type RolloutView = Static<typeof RolloutView>

export const InstanceView = Type.Object({
  id: Type.String(),
  region: Type.String(),
  server: Type.String(),
  commit: Type.String(),
  rollout: Type.Number(),
  state: Type.String(),
  address: maybe(Type.String()),
  weight: Type.Number(),
  since: Type.Number(),
  memory: maybe(Type.Number()),
  /** The router asks nothing of it: it refuses connections or fails the router's own checks. */
  refusing: maybe(Type.Boolean()),
  /** Of an old pool that is kept for a swap back. */
  kept: maybe(Type.Boolean()),
  modified: Type.Array(Type.String()),
  leaving: maybe(Type.String()),
})
export type InstanceView = Static<typeof InstanceView>

/** How the users of a region are split now, as its router was last seen to do it. */
export const RouteView = Type.Object({
  route: Type.String(),
  region: Type.String(),
  router: Type.String(),
  listen: Type.String(),
  salt: Type.String(),
  sticky: Type.Object({ by: Type.String(), name: maybe(Type.String()) }),
  /** How a side is chosen from what a user is recognised by; absent: as its router does by itself. */
  selection: maybe(Type.String()),
  /** Users who are in a pool whatever the weights are; no pool: they are where everybody is. */
  first: maybe(Type.Object({ keys: Type.Array(Type.String()), pool: maybe(Type.String()) })),
  /** Milliseconds that new requests may wait for a swap. */
  holdRequests: maybe(Type.Number()),
  stable: maybe(Type.String()),
  pools: Type.Array(
    Type.Object({
      pool: Type.String(),
      weight: Type.Number(),
      instances: Type.Array(Type.Object({ id: Type.String(), address: Type.String() })),
    }),
  ),
})
export type RouteView = Static<typeof RouteView>

export const LockView = Type.Object({
  id: Type.Number(),
  scope: Type.String(),
  at: Type.Number(),
  by: Type.String(),
  because: Type.String(),
  rollout: maybe(Type.Number()),
  evidence: maybe(Type.String()),
})
export type LockView = Static<typeof LockView>

/** Instances that were ended on purpose: whether the region survives it, and how fast it is whole again. */
const StrengthView = Type.Object({
  /** One sentence; absent where nothing is planned and nothing happened. */
  sentence: Type.String(),
  /** Why a person must look: it did not come back to full strength. */
  attention: maybe(Type.String()),
  /** When the next one may be killed, if nothing rolls then. */
  nextAt: maybe(Type.Number()),
  /** Newest first. */
  failures: Type.Array(
    Type.Object({
      at: Type.Number(),
      kind: Type.Union([Type.Literal("kill"), Type.Literal("age")]),
      instance: Type.String(),
      /** Until its pool was at full strength again; absent: it is not, or another release came between. */
      tookMs: maybe(Type.Number()),
    }),
  ),
})
export type StrengthView = Static<typeof StrengthView>

/** A region rebuilt from images alone beside itself, tested and destroyed. */
const DrillView = Type.Object({
  number: Type.Number(),
  region: Type.String(),
  commit: Type.String(),
  by: Type.String(),
  at: Type.Number(),
  /** `under-way`, and `clearing` while what it started is being ended. */
  state: Type.Union([
    Type.Literal("under-way"),
    Type.Literal("clearing"),
    Type.Literal("passed"),
    Type.Literal("failed"),
    Type.Literal("gave-way"),
  ]),
  sentence: Type.String(),
  /** Until every instance was healthy. */
  rebuiltMs: maybe(Type.Number()),
  /** Until its tests had passed, or it ended otherwise. */
  tookMs: maybe(Type.Number()),
})
export type DrillView = Static<typeof DrillView>

export const RegionView = Type.Object({
  name: Type.String(),
  production: Type.Boolean(),
  listen: Type.String(),
  serving: maybe(Type.Object({ commit: Type.String(), subject: Type.String(), rollout: Type.Number() })),
  ready: Type.Number(),
  size: Type.Number(),
  gate: Type.Boolean(),
  mirror: maybe(Type.String()),
  strength: maybe(StrengthView),
  /** The last one that said something. */
  drill: maybe(DrillView),
  /** When the next one may begin by itself. */
  nextDrillAt: maybe(Type.Number()),
  active: maybe(RolloutSummary),
  last: maybe(RolloutSummary),
})
export type RegionView = Static<typeof RegionView>

export const CommitView = Type.Object({
  commit: Type.String(),
  subject: Type.String(),
  author: Type.String(),
  at: Type.Number(),
  state: Type.String(),
  tone: Tone,
  detail: Type.String(),
  job: maybe(Type.String()),
})
export type CommitView = Static<typeof CommitView>

export const AppView = Type.Object({
  app: Type.String(),
  version: Type.Number(),
  source: Type.String(),
  branch: Type.String(),
  /** The answer before the data: one sentence. */
  sentence: Type.String(),
  tone: Tone,
  /** How it stands, in few words: `Locked`. */
  word: Type.String(),
  /** The one thing to do, or that there is nothing to do. */
  todo: Type.String(),
  paused: maybe(Type.String()),
  /** Why nothing of it is changed, and no order obeyed but to resume it: its servers are ahead of this journal. */
  behind: maybe(Type.String()),
  /** What resuming it does, line by line; absent where nothing is to be resumed. */
  resume: maybe(Type.Array(Type.String())),
  /** What runs beside what serves now, in one sentence; absent when nothing does. */
  cost: maybe(Type.String()),
  /** The drill that is under way, or not quite gone. */
  drill: maybe(DrillView),
  /** Those that ended, newest first. */
  drills: Type.Array(DrillView),
  locks: Type.Array(LockView),
  regions: Type.Array(RegionView),
  commits: Type.Array(CommitView),
  rollouts: Type.Array(RolloutSummary),
  quarantined: Type.Array(Type.Object({ commit: Type.String(), because: Type.String() })),
  problems: Type.Array(Type.Object({ part: Type.String(), problem: Type.String() })),
  /** What removing it will do, one sentence each, and why it is not possible now. */
  removal: Type.Object({ consequences: Type.Array(Type.String()), refused: maybe(Type.String()) }),
  /** Of one that a person removed; with an end nothing of it is left but its history. */
  removed: maybe(
    Type.Object({
      at: Type.Number(),
      by: Type.String(),
      reason: Type.String(),
      endedAt: maybe(Type.Number()),
    }),
  ),
})
export type AppView = Static<typeof AppView>

export const ConfigurationView = Type.Object({
  /** What the next release gets. */
  version: Type.Number(),
  values: Type.Array(
    Type.Object({
      key: Type.String(),
      region: maybe(Type.String()),
      /** Absent: a secret, which is shown to nobody. */
      value: maybe(Type.String()),
    }),
  ),
  /** What each region serves with now. */
  regions: Type.Array(Type.Object({ region: Type.String(), version: maybe(Type.Number()) })),
})
export type ConfigurationView = Static<typeof ConfigurationView>

export const AppSummary = Type.Object({
  app: Type.String(),
  sentence: Type.String(),
  tone: Tone,
  /** How it stands, in few words: `Locked`. */
  word: Type.String(),
  todo: Type.String(),
})
export type AppSummary = Static<typeof AppSummary>

/** A server: whether it answers, what runs there, and whether it is being left. */
export const ServerView = Type.Object({
  server: Type.String(),
  /** Absent: the control plane's own machine. */
  address: maybe(Type.String()),
  answers: Type.Boolean(),
  /** Why it does not answer, or what is wrong there. */
  problem: maybe(Type.String()),
  /** What its agent runs. */
  version: maybe(Type.String()),
  /** Its agent runs something else than the control plane: what, and what to do about it. */
  outdated: maybe(
    Type.Object({
      /** `patch`: nothing but Node's last number differs, which is no problem. */
      kind: Type.Union([Type.Literal("older"), Type.Literal("newer"), Type.Literal("patch")]),
      says: Type.String(),
      next: Type.String(),
    }),
  ),
  /** What it has room for, in words; absent while nobody knows. */
  room: maybe(Type.String()),
  /** Whether users come in through it. */
  routes: Type.Boolean(),
  drained: maybe(Type.Object({ at: Type.Number(), by: Type.String(), because: Type.String() })),
  /** When its certificate ends, unless it is renewed before. */
  certificateUntil: maybe(Type.Number()),
  /** What the journal counts there, by application; also while it does not answer. */
  instances: Type.Array(
    Type.Object({ app: Type.String(), commit: Type.String(), count: Type.Number(), ready: Type.Number() }),
  ),
})
export type ServerView = Static<typeof ServerView>

/** A one-time token, and where it is to be shown. */
export const InvitationView = Type.Object({
  token: Type.String(),
  to: Type.String(),
  expiresAt: Type.Number(),
})
export type InvitationView = Static<typeof InvitationView>

/** RFC 9457. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Number(),
  detail: Type.String(),
  code: Type.String(),
})
export type Problem = Static<typeof Problem>

/** The switch that stops every change of every application. */
export const KillSwitchView = Type.Object({
  set: Type.Boolean(),
  /** By whom, when and why, and what to do; in sentences. */
  because: Type.Array(Type.String()),
})
export type KillSwitchView = Static<typeof KillSwitchView>
