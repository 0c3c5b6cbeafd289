import type { Application } from "../../src/core/pipeline/application.ts"
import type { Event } from "../../src/core/pipeline/events.ts"
import { evolve } from "../../src/core/pipeline/evolve.ts"
import { nothing } from "../../src/core/pipeline/nothing.ts"
import type { StoredEvent } from "../../src/ports/journal.ts"

/** What a rollout has behind it, told by its events alone and without asking the production code. */
export type Past = {
  readonly app: string
  readonly number: number
  readonly region: string
  readonly release: string
  readonly queued: Extract<Event, { type: "rollout-queued" }>
  started: boolean
  approved: boolean
  ended: boolean
  /** A newer one took its place before it began. */
  superseded: boolean
  /** Of an application of this name that was removed. */
  removed: boolean
  succeeded: boolean
  /** Also true after it was taken back. */
  everSucceeded: boolean
  readonly tests: Map<string, boolean>
  /** The evidence of its last look beside a control. */
  compared: string | undefined
  /** Percent of the route that its events allow; what it was before, and since when it is so. */
  allowed: number
  before: number
  changedAt: number
}

/** The committed truth: every stream folded as it grows, and the few facts that the rules need beside it. */
export class CommittedLog {
  readonly #states = new Map<string, Application>()
  readonly pasts = new Map<string, Past>()
  readonly locks = new Map<string, Map<number, string | undefined>>()
  readonly paused = new Set<string>()
  readonly requested = new Map<string, string>()
  readonly quarantined = new Set<string>()
  readonly built = new Set<string>()
  readonly stable = new Map<string, number | undefined>()

  state(app: string): Application | undefined {
    return this.#states.get(app)
  }

  past(app: string, rollout: number): Past | undefined {
    return this.pasts.get(`${app}/${rollout}`)
  }

  add(stored: StoredEvent, now: number): void {
    const { stream: app, event } = stored
    this.#states.set(app, evolve(this.#states.get(app) ?? nothing(app), stored))
    const locks = this.locks.get(app) ?? new Map<number, string | undefined>()
    this.locks.set(app, locks)
    switch (event.type) {
      case "app-removed":
        this.#forget(app)
        return
      case "app-paused":
        this.paused.add(app)
        return
      case "app-resumed":
        this.paused.delete(app)
        return
      case "locked":
        locks.set(event.lock.id, event.lock.scope.kind === "app" ? undefined : event.lock.scope.region)
        return
      case "unlocked":
        locks.delete(event.lock)
        return
      case "quarantined":
        this.quarantined.add(`${app}/${event.release}`)
        return
      case "quarantine-lifted":
        this.quarantined.delete(`${app}/${event.release}`)
        return
      case "build-succeeded":
        this.built.add(`${app}/${event.commit}`)
        return
      case "instance-requested":
        this.requested.set(event.instance, app)
        return
      case "rollout-queued":
        this.pasts.set(`${app}/${event.rollout}`, {
          app,
          number: event.rollout,
          region: event.region,
          release: event.release,
          queued: event,
          started: false,
          approved: false,
          ended: false,
          superseded: false,
          removed: false,
          succeeded: false,
          everSucceeded: false,
          tests: new Map(),
          compared: undefined,
          allowed: 0,
          before: 0,
          changedAt: now,
        })
        return
      default:
        if ("rollout" in event && event.rollout !== undefined) this.#rollout(app, event.rollout, event, now)
    }
  }

  /** What was said of it binds nobody any more. */
  #forget(app: string): void {
    this.paused.delete(app)
    this.locks.delete(app)
    for (const of of [...this.quarantined]) if (of.startsWith(`${app}/`)) this.quarantined.delete(of)
    for (const of of [...this.stable.keys()]) if (of.startsWith(`${app}/`)) this.stable.delete(of)
    for (const past of this.pasts.values()) if (past.app === app) past.removed = true
  }

  #rollout(app: string, rollout: number, event: Event, now: number): void {
    const past = this.past(app, rollout)
    if (!past) return
    const allow = (percent: number): void => {
      past.before = past.allowed
      past.allowed = percent
      past.changedAt = now
    }
    switch (event.type) {
      case "gate-approved":
        past.approved = true
        return
      case "rollout-started":
        past.started = true
        return
      case "verifying-started":
        for (const { job } of event.tests) past.tests.set(job, false)
        return
      case "looked":
        if (event.look.stage === "shifting") past.compared = event.look.evidence
        return
      case "test-passed":
        past.tests.set(event.job, true)
        return
      case "step-started":
        return allow(this.stable.get(`${app}/${past.region}`) === undefined ? 100 : event.weight * 100)
      case "held":
        if (event.hold.weight === "zero") allow(0)
        return
      case "hold-ended":
        // What was taken to zero may come back; how far, its last step said.
        if (past.allowed === 0 && past.before > 0) allow(past.before)
        return
      case "rollout-succeeded":
        past.succeeded = true
        past.everSucceeded = true
        past.ended = true
        this.stable.set(`${app}/${past.region}`, rollout)
        return allow(100)
      case "abort-started":
        past.ended = false
        if (this.stable.get(`${app}/${past.region}`) === rollout)
          this.stable.set(`${app}/${past.region}`, event.to)
        return
      case "rolled-back":
      case "rollout-failed":
      case "rollout-cancelled":
      case "rollback-failed":
      case "gate-rejected":
      case "gate-expired":
        past.ended = true
        return
      case "rollout-superseded":
        past.ended = true
        past.superseded = true
        return
      default:
    }
  }
}
