import type { AppName, RegionName, ServerName } from "./ids.ts"
import type { Duration, Instant } from "./time.ts"

/** What `immunity.yaml` says at one commit, with defaults filled in and server pins applied. */
export type Policy = {
  readonly app: AppName
  /** What carries its traffic; absent: the router of our own. */
  readonly router?: string | undefined
  readonly build: BuildPolicy
  readonly run: RunPolicy
  readonly tests: readonly TestPolicy[]
  readonly regions: readonly RegionPolicy[]
  readonly metrics: readonly MetricPolicy[]
  /** Another judge than ours. */
  readonly judge?: KayentaPolicy | undefined
  readonly decisions: DecisionTable
  readonly autonomy: AutonomyPolicy
  readonly rollback: RollbackPolicy
  /** How releases that run at the same time share what outlives them. */
  readonly migrations?: MigrationPolicy | undefined
  readonly lock: LockPolicy
  /** What one release may cost beside what serves; absent: as much as it takes. */
  readonly surge?: SurgePolicy | undefined
  /** What becomes of an instance that was modified; absent: it is replaced. `report` leaves it where it is. */
  readonly drift?: "replace" | "report" | undefined
  /** Instances are ended on purpose: rehearsals of real failures. Absent: none are. */
  readonly failures?: FailurePolicy | undefined
  /** Regions are rebuilt beside themselves now and then. Absent: only when a person orders it. */
  readonly drill?: DrillPolicy | undefined
  readonly freeze: readonly FreezeWindow[]
  readonly notify: readonly NotifyPolicy[]
}

/** `budget`: instance time over all regions. Then kept pools are released, or a person is asked before the next region. */
export type SurgePolicy = { readonly budget: Duration; readonly then: "release" | "ask" }

export type BuildPolicy = {
  /** Run through `sh -c` in a one-use workspace; absent: the checkout itself is the artifact. */
  readonly command?: string | undefined
  /** The folder of the workspace that becomes the artifact; `.` by default. */
  readonly output: string
  /** `none` cuts the network off from the build; `allowed` is for builds that fetch what they need. */
  readonly network: "none" | "allowed"
  readonly timeout: Duration
}

export type RunPolicy = {
  /** Run through `sh -c` inside the artifact; gets PORT, IMMUNITY_RELEASE, IMMUNITY_REGION, IMMUNITY_INSTANCE. */
  readonly start: string
  readonly health: HealthPolicy
  /** How long requests in flight may finish before an instance is ended. */
  readonly drain: Duration
  /** Resident memory in bytes past which an instance is ended and counted as crashed. */
  readonly memory?: number | undefined
  /** Processors' worth of time; only containers keep to it. */
  readonly cpus?: number | undefined
  readonly env: Readonly<Record<string, string>>
  /** Old pools kept warm for an instant swap back. */
  readonly keep: number
}

export type HealthPolicy = {
  readonly path: string
  readonly every: Duration
  readonly timeout: Duration
  /** Passes in a row before an instance counts as ready. */
  readonly healthy: number
  /** Failures in a row before it no longer does. */
  readonly unhealthy: number
}

export type TestPolicy = {
  readonly name: string
  /** Run through `sh -c` in the artifact; gets IMMUNITY_URL, the address of the new pool. */
  readonly command: string
  readonly timeout: Duration
}

export type Strategy = "immutable" | "blue-green" | "one-at-a-time" | "canary"

export type RegionPolicy = {
  readonly name: RegionName
  readonly servers: readonly ServerName[]
  /** Instances of a full pool, at least 1. */
  readonly size: number
  /** The address of its route: `127.0.0.1:8103`. */
  readonly listen: string
  /** Whether its route carries users. */
  readonly production: boolean
  /** Names of tests to run before traffic. */
  readonly tests: readonly string[]
  readonly strategy: Strategy
  /** Weights of the canary strategy as fractions, rising, ending in 1. Empty for the others. */
  readonly weights: readonly number[]
  /** The weights are climbed as fast as the evidence allows, within a budget of harm. */
  readonly ramp?: RampPolicy | undefined
  /** The strategy's pause after each step, besides the comparison. */
  readonly pause: Duration
  readonly gate?: GatePolicy | undefined
  readonly mirror?: MirrorPolicy | undefined
  readonly compare?: ComparePolicy | undefined
  /** Watched after 100 % before it counts as a success. */
  readonly bake: Duration
  /** How long provisioning may take. */
  readonly deadline: Duration
  /** How users are kept on one side while a share is shifted. */
  readonly sticky: StickyPolicy
  /** Users who meet a new release from its first weight on, by what they are recognised by: cookie values, addresses. */
  readonly first?: readonly string[] | undefined
  /** How a recognised user's side is chosen; absent: the router's own way. */
  readonly selection?: "hash" | "sha256" | undefined
  /** How long new requests may wait until those on instances that get nobody any more have ended; absent: not at all. */
  readonly holdRequests?: Duration | undefined
  /** `false`: nothing is ended here on purpose. */
  readonly failures?: false | undefined
}

export type RampPolicy = {
  /** Extra failures a minute that the new release may cost at worst; above 0. */
  readonly harm: number
}

export type GatePolicy = {
  readonly expires: Duration
  /** When true, who wrote the commit may not approve it. */
  readonly notAuthor: boolean
}

export type MirrorPolicy = {
  readonly from: RegionName
  /** Share of the read-only requests that is copied, 0 to 1. */
  readonly sample: number
  readonly timeout: Duration
  /** Paths that are never asked for twice; a star is any text. */
  readonly deny?: readonly string[] | undefined
  /** Header fields that a copy carries besides the harmless ones; none of them says who asks. */
  readonly headers?: readonly string[] | undefined
}

/** `previous`, `peers`: the old pool of the same route. A region's name: the mirrored requests there. */
export type ComparePolicy = {
  readonly to: "previous" | "peers" | RegionName
  /** Observed healthy time that a step needs. */
  readonly for: Duration
  /** Time at the start of a step that is not judged: cold caches look like regressions. */
  readonly warmup: Duration
  /** Canary requests below which nothing is called ok. */
  readonly minSamples: number
  /** How often an unsure window may be extended before a person is asked. */
  readonly extensions: number
  /** How long a blind rollout may hold its weight before it goes back to 0, unlocked. */
  readonly blindLimit: Duration
}

export type StickyPolicy =
  | { readonly by: "none" }
  | { readonly by: "cookie"; readonly name: string }
  | { readonly by: "header"; readonly name: string }
  | { readonly by: "address" }

export type MetricPolicy = {
  readonly name: string
  readonly source: MetricSourcePolicy
  readonly kind: "error-proportion" | "latency-quantile" | "events" | "gauge" | "answers"
  /** Which direction is bad. */
  readonly worse: "up" | "down"
  readonly critical: boolean
  /** Tolerated relative to the control: 0.1 is 10 % more. */
  readonly tolerateRatio: number
  /** Tolerated in absolute terms, in the unit of the metric (fractions for proportions, ms for latency). */
  readonly tolerateDelta: number
  /** For `latency-quantile`: which one, 0 < q < 1. */
  readonly quantile?: number | undefined
  /** Absolute targets, in the unit of the metric. */
  readonly max?: number | undefined
  readonly min?: number | undefined
}

export type MetricSourcePolicy =
  /** Our own router's counters. */
  | { readonly type: "router" }
  /** Crashes that agents count. */
  | { readonly type: "agent" }
  /** Answers of candidate and stable instances to the same requests; measured only while mirroring. */
  | (Every & {
      readonly type: "answers"
      /** What is asked besides what the mirror copies, with GET: `/`, `/items?page=2`. */
      readonly ask: readonly string[]
      /** Paths of answers whose change is intended: `body.price`, `GET /items/:id body.price`. */
      readonly accept: readonly string[]
    })
  /** A system that speaks PromQL. */
  | (Asked & { readonly type: "prometheus"; readonly url: string })
  /** The instances themselves, in Prometheus' or OpenMetrics' text; `query` and `bad` are selectors. */
  | (Asked & { readonly type: "scrape"; readonly path: string })
  /** Any system that answers in JSON, instance by instance; `query`, `bad` and `time` are paths in the answer. */
  | (Asked & { readonly type: "json"; readonly url: string; readonly time?: string | undefined })
  /** The instances tell the API. */
  | (Every & { readonly type: "push" })

type Every = {
  /** Between two questions; 5 s when absent. */
  readonly every?: Duration | undefined
}

type Asked = Every & {
  readonly query: string
  /** For proportions: the bad ones, where `query` is all of them. */
  readonly bad?: string | undefined
  /** What the source counts in; by its name when absent. Latencies become ms, bytes become MB. */
  readonly unit?: "ms" | "s" | "bytes" | undefined
}

/** Kayenta's judge, with its thresholds in its own words. */
export type KayentaPolicy = {
  readonly type: "kayenta"
  /** Scores, 0 to 100: at `pass` or above it passes, below `marginal` it fails. */
  readonly pass: number
  readonly marginal: number
  /** Percent of the score by group; groups without one share what is left. */
  readonly groups: Readonly<Record<string, number>>
  readonly metrics: Readonly<Record<string, KayentaMetricPolicy>>
}

export type KayentaMetricPolicy = {
  readonly groups?: readonly string[] | undefined
  readonly direction?: "increase" | "decrease" | "either" | undefined
  readonly nan?: "remove" | "replace" | undefined
  readonly mustHaveData?: boolean | undefined
  /** Points beyond Tukey's fences at this factor are left out. */
  readonly outliers?: number | undefined
  readonly effect?: "meanRatio" | "cles" | undefined
  readonly allowedIncrease?: number | undefined
  readonly allowedDecrease?: number | undefined
  readonly criticalIncrease?: number | undefined
  readonly criticalDecrease?: number | undefined
  readonly muted?: boolean | undefined
}

export type Action = "advance" | "extend" | "hold" | "halt" | "rollback"

/** From the boldest to the most cautious. */
export const actionsByCaution: readonly Action[] = ["advance", "extend", "hold", "halt", "rollback"]

export type DecisionTable = {
  /** The action when no row matches. */
  readonly fallback: Action
  readonly rules: readonly Rule[]
}

/** Every condition that is given must hold; an empty `when` always matches. */
export type Rule = {
  readonly id: string
  readonly when: Condition
  readonly then: Action
  readonly because?: string | undefined
}

export type Condition = {
  /** Some critical metric has this verdict. */
  readonly critical?: "ok" | "worse" | "unsure" | "nodata" | undefined
  /** At least `count` (default 1) metrics have this verdict. */
  readonly any?: "ok" | "worse" | "unsure" | "nodata" | undefined
  readonly count?: number | undefined
  /** Every metric has this verdict; never true without metrics. */
  readonly all?: "ok" | "worse" | "unsure" | "nodata" | undefined
  /** Named metrics have these verdicts. */
  readonly metric?: Readonly<Record<string, "ok" | "worse" | "unsure" | "nodata">> | undefined
  /** `broken`: no metric of some source could be read. */
  readonly monitoring?: "ok" | "broken" | undefined
  /** The control breaks the same target: the world is sick. */
  readonly control?: "ok" | "bad" | undefined
  /** Instances crash or probes fail: evidence that needs no monitoring system. */
  readonly probes?: "ok" | "failing" | undefined
  /** Whether the release may still be taken back by itself. */
  readonly reversible?: boolean | undefined
}

export type Autonomy = "dry-run" | "manual" | "auto"

export type AutonomyPolicy = {
  readonly advance: Autonomy
  readonly halt: Autonomy
  readonly rollback: Autonomy
  readonly regions: Readonly<
    Record<
      RegionName,
      { readonly advance?: Autonomy; readonly halt?: Autonomy; readonly rollback?: Autonomy }
    >
  >
}

export type RollbackPolicy = {
  /** Globs of files; a commit that touches one never rolls back by itself. */
  readonly irreversible: readonly string[]
  /** Which regions go back together: only the one that failed, or every production region on that release. */
  readonly scope: "region" | "production"
}

export type FailurePolicy = {
  /** At most one instance of a region is killed in so long; absent: none is. */
  readonly every?: Duration | undefined
  /** Instances older than this are replaced, one at a time. */
  readonly maxAge?: Duration | undefined
  /** When either may begin; absent: always. */
  readonly between?: Hours | undefined
}

export type DrillPolicy = {
  /** Each production region is rebuilt once in so long. */
  readonly every: Duration
  readonly between?: Hours | undefined
}

/** Hours of some days of the week: minutes since midnight, days from 0 for Sunday. */
export type Hours = {
  readonly from: number
  readonly until: number
  readonly days: readonly number[]
  readonly zone: string
}

/** The compatibility window: two releases run at once, and for a while one may go back. */
export type MigrationPolicy = {
  /** Globs of files that change what releases share; those that are no contract step only add to it. */
  readonly paths: readonly string[]
  /** Globs of those that take away what releases older than the running one need. */
  readonly contract: readonly string[]
  /** How long after a success the old pool is kept from a contract step; absent: until a person gives it up. */
  readonly window?: Duration | undefined
  /** What releases share while both run, and what is promised about it: a sentence each. */
  readonly shared: readonly string[]
}

export type LockPolicy = {
  readonly on: readonly ("halt" | "rollback")[]
  /** What a lock stops: the whole application or one region. */
  readonly scope: "app" | "region"
  /** Whether unlocking also asks for what will prevent it next time. */
  readonly preventiveAction: boolean
}

/** A recurring window, in its own time zone, in which nothing new is advanced. Rollback stays allowed. */
export type FreezeWindow = {
  readonly name: string
  /** Single spans; of what is written in immunity.yaml there are none. */
  readonly spans: readonly { readonly from: Instant; readonly until: Instant }[]
  /** Every week, for ever: a release may wait, or run, for years before it meets a freeze. */
  readonly weekly?: WeeklyWindow | undefined
  /** The rule as written: `Fri 16:00 - Mon 08:00` in `Europe/Berlin`. */
  readonly when: string
  readonly zone: string
}

/** Places of the week on the clock of a wall, in milliseconds since Sunday 00:00; the same twice is the whole week. */
export type WeeklyWindow = {
  readonly from: Duration
  readonly until: Duration
  /**
   * How far that clock is ahead of UTC from each instant on, oldest first: the core knows no calendars. The last one
   * holds for ever, so past the years that were looked ahead only summer time is off, by its hour.
   */
  readonly offsets: readonly { readonly at: Instant; readonly offset: number }[]
}

export type NotifyPolicy = {
  readonly webhook: string
  readonly on: readonly ("gate" | "halt" | "rollback" | "lock" | "hold" | "removal" | "success")[]
}
