import type { AppName } from "../core/model/ids.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Command } from "../core/pipeline/input.ts"
import type { OutboxRow, StoredEvent } from "../ports/journal.ts"
import type { Order } from "../ports/orders.ts"
import { ApplicationLoop } from "./application-loop.ts"
import { Follower } from "./follow.ts"
import type { Result } from "./ledger.ts"
import type { World } from "./observe.ts"
import { type Parts, sentence } from "./parts.ts"
import { obeyOrders, passOn } from "./pass-on.ts"
import { RollbackBudget } from "./rollback-budget.ts"
import { steadyClock } from "./steady-clock.ts"

/** What the doors of the system (API, demo) may ask of the engine. */
export interface Engine {
  /** Begins with the applications of the journal. */
  start(): Promise<void>
  stop(): Promise<void>
  apps(): readonly AppName[]
  state(app: AppName): Application | undefined
  /** Of its journal stream, as of `state`; 0 when there is none. */
  version(app: AppName): number
  /** What one application's servers said last. */
  world(app: AppName): World | undefined
  /** What keeps an application's engine from its work, by part, in plain words. */
  problems(app: AppName): ReadonlyMap<string, string>
  /** Whether another control plane holds the application. */
  follows(app: AppName): boolean
  /** A person's order. A repeated id takes effect once. */
  submit(app: AppName, command: Command, by: string, commandId: string): Promise<Result>
  /** A hint that a repository has something new; forged or repeated ones change nothing. */
  hint(app: AppName): void
  /** Calls back for every stored event, in order; returns how to stop it. Must not throw or wait. */
  listen(listener: (event: StoredEvent) => void): () => void
}

export function createEngine(world: Parts): Engine {
  const parts: Parts = { ...world, clock: steadyClock(world.clock) }
  const loops = new Map<AppName, ApplicationLoop>()
  const listeners = new Set<(event: StoredEvent) => void>()
  const budget = new RollbackBudget(
    () => [...loops.values()].map(({ ledger }) => ledger.state),
    () => follower.readOn(),
  )
  const stopping = new AbortController()
  let running: Promise<unknown> | undefined
  let settled = false

  const heard = (events: readonly StoredEvent[]) => {
    // What was stored before this process began is read from the journal, not announced as news.
    if (settled) for (const event of events) for (const listener of listeners) listener(event)
  }
  const open = (app: AppName): ApplicationLoop => {
    const known = loops.get(app)
    if (known) return known
    const loop = new ApplicationLoop(app, parts, budget, heard)
    loops.set(app, loop)
    return loop
  }

  const obeyHere = async ({ id, app, command, by }: Order): Promise<Result | undefined> => {
    const loop = loops.get(app)
    if (!loop || loop.follows || loop.ledger.epoch === 0) return undefined
    return loop.ledger.apply({ ...command, at: parts.clock.now(), by }, id)
  }
  const take = (event: StoredEvent): void => {
    const known = loops.get(event.stream)
    const loop = known ?? open(event.stream)
    loop.take(event)
    if (!known && settled) loop.start()
  }
  const follower = new Follower(parts, take)

  return {
    async start() {
      await follower.readOn()
      for (const loop of loops.values()) loop.start()
      settled = true
      running = Promise.all([
        follower.follow(stopping.signal),
        obeyOrders(parts, obeyHere, stopping.signal),
        deliver(parts, stopping.signal),
      ])
    },
    async stop() {
      stopping.abort()
      await Promise.all([...loops.values()].map((loop) => loop.stop()))
      await running
    },
    apps: () => [...loops.keys()].sort(),
    state: (app) => loops.get(app)?.ledger.state,
    version: (app) => loops.get(app)?.ledger.version ?? 0,
    world: (app) => loops.get(app)?.world,
    problems: (app) => loops.get(app)?.problems ?? new Map(),
    follows: (app) => loops.get(app)?.follows ?? false,
    async submit(app, command, by, commandId) {
      const known = loops.get(app)
      if (!known && command.type !== "add-app") {
        return { kind: "refused", refusal: { code: "unknown", message: `there is no application ${app}` } }
      }
      if ((await parts.journal.commandResult(commandId)) !== undefined) {
        return { kind: "done", events: [], version: known?.ledger.version ?? 0 }
      }
      const loop = known ?? open(app)
      if (!known) loop.start()
      // A new application first needs its lease; that takes a moment.
      for (let tries = 0; loop.ledger.epoch === 0 && !loop.follows && tries < 100; tries++)
        await parts.clock.sleep(50)
      const here = loop.follows
        ? undefined
        : await loop.ledger.apply({ ...command, at: parts.clock.now(), by }, commandId)
      if (here && here.kind !== "not-leader") return here
      return passOn(parts, { id: commandId, app, command, by })
    },
    hint: (app) => loops.get(app)?.hint(),
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

const longestPause = 60_000
const mostAttempts = 10

/** What is due and ours to tell: one control plane at a time, so that nobody is told twice without need. */
async function dueNotices({ journal, leases, clock, owner }: Parts): Promise<readonly OutboxRow[]> {
  if ((await journal.outbox(clock.now(), 1)).length === 0) return []
  const lease = await leases.acquire("outbox", owner, 8_000)
  return lease ? journal.outbox(clock.now(), 10) : []
}

/** Tells the outside what it was promised: at least once, later and later, then a dead letter. */
async function deliver(parts: Parts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const row of await dueNotices(parts)) {
        try {
          await parts.notifier.send(
            row.notice,
            AbortSignal.any([signal, AbortSignal.timeout(parts.pace.call)]),
          )
          await parts.journal.outboxDone(row.id)
        } catch (error) {
          const pause = Math.min(longestPause, 1_000 * 2 ** row.attempts)
          const retryAt = row.attempts + 1 < mostAttempts ? parts.clock.now() + pause : undefined
          await parts.journal.outboxFailed(row.id, sentence(error), retryAt)
        }
      }
    } catch (error) {
      parts.log.error({ part: "outbox" }, sentence(error))
    }
    await parts.clock.sleep(parts.pace.idle, signal)
  }
}
