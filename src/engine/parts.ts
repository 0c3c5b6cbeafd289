import type { AppName, ServerName } from "../core/model/ids.ts"
import type { Policy } from "../core/model/policy.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { Agent } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"
import type { Evidence } from "../ports/evidence.ts"
import type { Journal } from "../ports/journal.ts"
import type { Leases } from "../ports/leases.ts"
import type { MetricsSource } from "../ports/metrics.ts"
import type { Notifier } from "../ports/notifier.ts"
import type { Orders } from "../ports/orders.ts"
import type { Policies } from "../ports/policies.ts"
import type { Sealer } from "../ports/sealer.ts"
import type { Snapshots } from "../ports/snapshots.ts"
import type { CommitSource } from "../ports/source.ts"
import type { JournalWentBack } from "./went-back.ts"

/** Everything the engine needs from the world. main.ts chooses. */
export type Parts = {
  readonly clock: Clock
  readonly journal: Journal
  readonly leases: Leases
  readonly evidence: Evidence
  readonly policies: Policies
  readonly orders: Orders
  readonly snapshots: Snapshots
  readonly source: CommitSource
  readonly metrics: Readonly<Record<string, MetricsSource>>
  readonly notifier: Notifier
  readonly sealer: Sealer
  /** The servers' agents, by name. */
  readonly agents: ReadonlyMap<ServerName, Agent>
  /** Why a person wants a server empty; undefined: it is in use. */
  readonly drained?: (server: ServerName) => string | undefined
  /** Reads immunity.yaml with the server's pins on top; problems are ready to print. */
  readonly readPolicy: ReadPolicy
  readonly log: Log
  /** Whoever holds a lease; the same over restarts of the same control plane. */
  readonly owner: string
  /** True while the kill switch is set: nothing is changed anywhere. */
  readonly killed: () => boolean
  /** Why nothing new may start for want of room, in a sentence; undefined while there is room. */
  readonly room: () => string | undefined
  /** Ends this control plane: what it believes is no longer what is stored. */
  readonly wentBack?: (error: JournalWentBack) => void
  readonly pace: Pace
}

export type ReadPolicy = (
  text: string | undefined,
  pins: string | undefined,
  app: AppName,
  now: Instant,
) =>
  | { readonly policy: Policy }
  /** `meantFor`: the application that the file names, where it is another one. */
  | { readonly problems: readonly string[]; readonly meantFor?: AppName | undefined }

/** How often things are looked at, in milliseconds. */
export type Pace = {
  /** While something moves. */
  readonly busy: Duration
  /** The same where a look costs little: never more than a fifth of the time is spent on looking. Absent: `busy`. */
  readonly soon?: Duration | undefined
  /** At rest. */
  readonly idle: Duration
  /** Between two looks of the judge. */
  readonly measure: Duration
  /** Between two looks at the repository. */
  readonly poll: Duration
  /** Between two pushes of an unchanged routing table. */
  readonly push: Duration
  /** For one call to an agent. */
  readonly call: Duration
}

export const defaultPace: Pace = {
  busy: 200,
  soon: 40,
  idle: 1_000,
  measure: 500,
  poll: 5_000,
  push: 5_000,
  call: 5_000,
}

/** How long to wait after a look that took so long, while something moves. */
export const untilNextLook = ({ busy, soon = busy }: Pick<Pace, "busy" | "soon">, took: Duration): Duration =>
  Math.max(soon, Math.min(busy, 4 * took))

/** Structured log: a sentence and its fields. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

export const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Why a sleep ends early; nobody reads it. */
export const news = "news"
