import type { Engine } from "../engine/engine.ts"
import type { Agent } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"
import type { Evidence } from "../ports/evidence.ts"
import type { Fleet } from "../ports/fleet.ts"
import type { Inbox } from "../ports/inbox.ts"
import type { Journal } from "../ports/journal.ts"
import type { Policies } from "../ports/policies.ts"
import type { Sealer } from "../ports/sealer.ts"
import { type ProblemCode, problems } from "./problems.ts"

export type ApiParts = {
  readonly engine: Engine
  readonly journal: Journal
  readonly evidence: Evidence
  readonly policies: Policies
  readonly agents: ReadonlyMap<string, Agent>
  readonly fleet: Fleet
  readonly clock: Clock
  /** Where pushed measurements wait for the judge. */
  readonly inbox: Inbox
  readonly sealer: Sealer
  /** What this control plane runs, as agents say it of themselves. */
  readonly program: string
  /** Required for everything that changes something. */
  readonly token: string
  /** Checks a policy's text before it is stored; a sentence when it is wrong. */
  readonly checkPins: (yaml: string) => string | undefined
  readonly pages: Pages
  /** `because`: why nothing is changed, in sentences; empty while everything goes on. */
  readonly killSwitch: {
    readonly because: () => readonly string[]
    readonly set: (by: string, reason: string) => Promise<void>
    readonly lift: (by: string, reason: string) => Promise<void>
  }
  /** Prometheus text. */
  readonly metrics: () => Promise<string>
  readonly health: () => Promise<{ readonly ok: boolean; readonly detail: string }>
  readonly log: { warn(fields: object, message: string): void }
  /** Resolves when what is stored was read: until then nobody may be told that something is not there. */
  readonly ready?: Promise<unknown> | undefined
}

/** Renders pages from the same views that the API answers with. */
export type Pages = {
  readonly render: (page: string, data: unknown) => string
  readonly asset: (name: string) => { readonly type: string; readonly body: string } | undefined
}

/** An answer that is not a success, in RFC 9457's words. */
export class ApiError extends Error {
  readonly status: number
  readonly code: ProblemCode

  constructor(code: ProblemCode, message: string) {
    super(message)
    this.status = problems[code].status
    this.code = code
  }
}
