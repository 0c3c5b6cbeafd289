import type { AppName } from "../core/model/ids.ts"
import type { Application, Source } from "../core/pipeline/application.ts"
import type { Command } from "../core/pipeline/input.ts"
import type { OutboxRow, StoredEvent } from "../ports/journal.ts"
import type { Order } from "../ports/orders.ts"
import { ApplicationLoop, type Shared } from "./application-loop.ts"
import { backOff } from "./back-off.ts"
import { Eyes } from "./eyes.ts"
import { type FirstLook, firstLook } from "./first-look.ts"
import { Follower } from "./follow.ts"
import { Gate } from "./gate.ts"
import { SnapshotKeeper } from "./keep-snapshots.ts"
import { killSwitchSet, type Result } from "./ledger.ts"
import { hearAllNews, type NewsPace } from "./news.ts"
import type { World } from "./observe.ts"
import { type Parts, sentence, untilNextLook } from "./parts.ts"
import { obeyOrders, passOn } from "./pass-on.ts"
import { otherThan } from "./repeated.ts"
import { RollbackBudget } from "./rollback-budget.ts"
import { Rounds } from "./rounds.ts"
import { Shelf } from "./shelf.ts"
import { steadyClock } from "./steady-clock.ts"
import { Tenure } from "./tenure.ts"
import { unfold } from "./unfold.ts"

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
  /** Whether this repository may be added under that name; for whoever is about to. */
  firstLook(app: AppName, source: Source): Promise<FirstLook>
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
  /** Those with something under way. */
  const moving = new Set<AppName>()
  let begins = new AbortController()
  const tenure = new Tenure(parts, () => follower.readOn())
  const stopping = new AbortController()
  let running: Promise<unknown> | undefined
  let settled = false

  const heard = (events: readonly StoredEvent[]) => {
    // What was stored before this process began is read from the journal, not announced as news.
    if (settled) for (const event of events) for (const listener of listeners) listener(event)
  }
  const shared: Shared = {
    parts,
    budget: new RollbackBudget(() => follower.readOn()),
    eyes: new Eyes(parts),
    tenure,
    snapshots: new SnapshotKeeper(parts),
    shelf: new Shelf(lyingOpen),
    resting: new Gate(restingTurns),
    rounds: new Rounds(parts.clock, parts.pace.idle, stopping.signal),
    asking: new Gate(openQuestions),
    restFor: () => Math.max(parts.pace.push, tenure.held * restApart),
    heard,
    moves(app, isMoving) {
      if (!isMoving) moving.delete(app)
      else if (moving.add(app).size === 1) {
        begins.abort()
        begins = new AbortController()
      }
    },
  }
  const open = (app: AppName): ApplicationLoop => {
    const known = loops.get(app)
    if (known) return known
    const loop = new ApplicationLoop(app, shared)
    loops.set(app, loop)
    tenure.add(app, loop)
    return loop
  }
  const wake = (changed: readonly AppName[] | "all"): void => {
    if (changed === "all") for (const loop of loops.values()) loop.poke()
    else for (const app of changed) loops.get(app)?.poke()
  }
  /**
   * An agent tells at once what it knows of by itself: whose health changed, which job ended. It is asked for the rest
   * as often as that; one that does not wait is asked soon while something is under way, from the moment on that it is.
   */
  const newsPace: NewsPace = {
    within: () => (moving.size > 0 ? parts.pace.busy : parts.pace.idle),
    pause(took, anything) {
      const { pace, clock } = parts
      const hasWaited = anything || took >= newsPace.within()
      const forMs = hasWaited
        ? (pace.soon ?? pace.busy)
        : moving.size > 0
          ? untilNextLook(pace, took)
          : pace.idle
      return stopping.signal.aborted ? Promise.resolve() : clock.sleep(forMs, begins.signal)
    },
  }

  const obeyHere = async ({ id, app, command, by }: Order): Promise<Result | undefined> => {
    const loop = loops.get(app)
    if (!loop || loop.follows || loop.ledger.epoch === 0) return undefined
    return loop.ledger.apply({ ...command, at: parts.clock.now(), by }, id)
  }
  const follower = new Follower(parts, (event) => open(event.stream).take(event))

  return {
    async start() {
      follower.startAfter(await unfold(parts, open))
      settled = true
      running = Promise.all([
        follower.follow(stopping.signal),
        tenure.hold(stopping.signal),
        shared.snapshots.keep(stopping.signal),
        hearAllNews(parts, newsPace, wake, stopping.signal),
        hearOfLimits(parts, () => wake("all"), stopping.signal),
        obeyOrders(parts, obeyHere, stopping.signal),
        deliver(parts, stopping.signal),
      ])
    },
    async stop() {
      stopping.abort()
      begins.abort()
      for (const loop of loops.values()) loop.end()
      await Promise.all([...loops.values()].map((loop) => loop.ended()))
      await running
      await tenure.giveBack()
    },
    apps: () => [...loops.keys()].sort(),
    state: (app) => loops.get(app)?.ledger.peek(),
    version: (app) => loops.get(app)?.ledger.version ?? 0,
    world: (app) => loops.get(app)?.world,
    problems(app) {
      const problems = new Map(loops.get(app)?.problems)
      // What holds for all is true at once, whenever this one was looked at last.
      for (const [part, problem] of problems) if (problem === killSwitchSet) problems.delete(part)
      if (parts.killed()) problems.set("kill switch", killSwitchSet)
      if (tenure.problem !== undefined) problems.set("lease", tenure.problem)
      return problems
    },
    follows: (app) => loops.get(app)?.follows ?? false,
    firstLook: (app, source) => firstLook(parts, app, source),
    async submit(app, command, by, commandId) {
      const known = loops.get(app)
      if (!known && command.type !== "add-app") {
        return { kind: "refused", refusal: { code: "unknown", message: `there is no application ${app}` } }
      }
      const kept = await parts.journal.commandResult(commandId)
      if (kept !== undefined) {
        const refusal = otherThan(kept, command)
        if (refusal) return { kind: "refused", refusal }
        return { kind: "done", events: [], version: known?.ledger.version ?? 0 }
      }
      const loop = known ?? open(app)
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

/** States, and worlds, that are not packed: those of a few hundred applications. */
const lyingOpen = 1_000
/** Applications at rest that are looked at in the same moment, for instance after a start. */
const restingTurns = 16
/** Repositories that are asked in the same moment. */
const openQuestions = 4
/**
 * Over all applications at rest, so many milliseconds lie between two looks that nothing asked for: ten a second,
 * with a push of the table each, however many they are.
 */
const restApart = 100

/** The kill switch and the room on the disk concern everybody at once. */
async function hearOfLimits(
  { clock, killed, pace, room }: Parts,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const now = (): string => `${killed()} ${room() !== undefined}`
  for (let before = now(); !signal.aborted; ) {
    await clock.sleep(pace.idle, signal)
    const after = now()
    if (after !== before) changed()
    before = after
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
          const failures = row.attempts + 1
          const pause = backOff(`notice ${row.id}`, failures, { first: 1_000, longest: longestPause })
          const retryAt = failures < mostAttempts ? parts.clock.now() + pause : undefined
          await parts.journal.outboxFailed(row.id, sentence(error), retryAt)
        }
      }
    } catch (error) {
      parts.log.error({ part: "outbox" }, sentence(error))
    }
    await parts.clock.sleep(parts.pace.idle, signal)
  }
}
