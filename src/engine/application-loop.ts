import { fractionOf } from "../core/model/chance.ts"
import type { AppName, InstanceId } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Effect, MeasureSpec } from "../core/pipeline/effects.ts"
import type { Fact } from "../core/pipeline/input.ts"
import { wanted } from "../core/pipeline/wanted.ts"
import type { RouterCounters } from "../ports/counters.ts"
import type { StoredEvent } from "../ports/journal.ts"
import type { Snapshot } from "../ports/snapshots.ts"
import { backOff } from "./back-off.ts"
import { CommitReader } from "./commit-reader.ts"
import type { Eyes } from "./eyes.ts"
import type { Gate } from "./gate.ts"
import { type Glance, glanceAt } from "./glance.ts"
import type { SnapshotKeeper } from "./keep-snapshots.ts"
import { killSwitchSet, Ledger } from "./ledger.ts"
import { factsFor, roomIn, type World } from "./observe.ts"
import { news, type Parts, sentence, untilNextLook } from "./parts.ts"
import { Performer } from "./perform.ts"
import type { RollbackBudget } from "./rollback-budget.ts"
import type { Rounds } from "./rounds.ts"
import type { Place, Shelf } from "./shelf.ts"
import { Silence } from "./silence.ts"
import { actWithin, type Holding, type Tenure } from "./tenure.ts"
import { Watch } from "./watch.ts"

/** What all applications of one control plane share. */
export type Shared = {
  readonly parts: Parts
  readonly budget: RollbackBudget
  readonly eyes: Eyes
  readonly tenure: Tenure
  readonly snapshots: SnapshotKeeper
  /** Where states and worlds lie. */
  readonly shelf: Shelf
  /** Those at rest are looked at few at a time; what moves waits for nobody. */
  readonly resting: Gate
  /** Where they sleep until then. */
  readonly rounds: Rounds
  /** Repositories that are asked at once. */
  readonly asking: Gate
  /** How long an application at rest is left alone when nobody says that anything changed. */
  readonly restFor: () => Duration
  readonly heard: (events: readonly StoredEvent[]) => void
  /** Something is under way, so that what changes on the servers should be known soon. */
  readonly moves: (app: AppName, moving: boolean) => void
}

/** One application's engine: look, decide, store, act, sleep; as long as it is held. */
export class ApplicationLoop implements Holding {
  readonly ledger: Ledger
  /** What keeps it from doing its work, in plain words; empty when nothing does. */
  readonly problems = new Map<string, string>()
  readonly #parts: Parts
  readonly #shared: Shared
  #term: AbortController | undefined
  readonly #silence: Silence
  #poke = new AbortController()
  readonly #reader: CommitReader
  readonly #world: Place<World>
  #glance: Glance | undefined
  #finished: Promise<unknown> = Promise.resolve()
  #follows = false
  #measures: readonly MeasureSpec[] = []
  #watching = false
  #refusedForRoom: ReadonlyMap<InstanceId, string> = new Map()
  /** What its state wants, as long as it is the same. */
  #asked: { readonly state: Application; readonly effects: readonly Effect[] } | undefined
  /** When the rules next have something to do by themselves, as of the last turn. */
  #wakeAt: Instant | undefined
  /** Turns in a row that could not do what they wanted. */
  #failures = 0

  constructor(app: AppName, shared: Shared) {
    const { parts } = shared
    this.#shared = shared
    this.#parts = parts
    this.#silence = new Silence(parts)
    this.#world = shared.shelf.place<World>({ servers: new Map(), problems: {} })
    const told = {
      heard: (events: readonly StoredEvent[]) => {
        shared.snapshots.heard(this.ledger, events)
        shared.heard(events)
        // Whoever adds an application again waits neither for a look that was put off while it was gone nor for one
        // at the repository that it had.
        if (events.some(({ event, version }) => event.type === "app-added" && version > 1)) {
          this.#reader.startOver()
        }
        this.poke()
      },
      fenced: () => shared.tenure.lost(app),
      room: () => roomIn(this.world, this.#refusedForRoom),
    }
    this.ledger = new Ledger(app, parts, shared.budget, told, shared.shelf)
    this.#reader = new CommitReader({
      parts,
      ledger: this.ledger,
      asking: shared.asking,
      foundAt: () => this.#seen().foundAt,
      held: () => shared.tenure.held,
      problem: (part, problem) => this.#problem(part, problem),
    })
  }

  /** What its servers said last. */
  get world(): World {
    return this.#world.peek()
  }

  /** It is ours, and everything that was stored of it is known. */
  begin(epoch: number): void {
    this.#follows = false
    this.ledger.epoch = epoch
    const term = new AbortController()
    this.#term = term
    this.#reader.begin()
    this.#finished = this.#finished.then(() => this.#work(epoch, term.signal))
  }

  end(): void {
    this.#term?.abort()
    // Whatever sleeps is woken by these alone: a signal made of two, for each of ten thousand sleepers, is a lot of memory.
    this.poke()
    this.#reader.end()
  }

  follow(): void {
    this.#follows = true
  }

  /** Resolves when nothing is under way here any more. */
  async ended(): Promise<void> {
    await this.#finished
  }

  /** Whether another control plane holds the application. */
  get follows(): boolean {
    return this.#follows
  }

  /** Begins in the middle of its stream. */
  restore(snapshot: Snapshot): void {
    this.ledger.restore(snapshot)
    this.#glance = glanceAt(snapshot.version, snapshot.state)
    this.#shared.snapshots.restored(this.ledger)
  }

  /** Hears of an event that was stored, here or elsewhere. What it cannot understand stops it alone. */
  take(event: StoredEvent): void {
    try {
      this.ledger.take([event])
      this.#problem("journal", undefined)
    } catch (error) {
      this.#problem("journal", sentence(error))
    }
  }

  /** Something changed: the next turn begins now. */
  poke(): void {
    // One error with its stack for each of a hundred thousand events of a start would cost more than folding them.
    if (!this.#poke.signal.aborted) this.#poke.abort(news)
  }

  /** The repository may have something new: a hint, nothing more. */
  hint(): void {
    this.#reader.hint()
  }

  async #work(epoch: number, until: AbortSignal): Promise<void> {
    await this.#understand(until)
    if (!until.aborted) await Promise.all([this.#turns(epoch, until), this.#reader.read(until)])
    // What kept this one from its work keeps it no longer: the work is another's now.
    this.problems.clear()
    this.#measures = []
    this.#shared.moves(this.ledger.app, false)
  }

  /** A journal that cannot be read stops this application alone. */
  async #understand(until: AbortSignal): Promise<void> {
    for (let failures = 1; this.problems.has("journal") && !until.aborted; failures++) {
      try {
        await this.ledger.catchUp()
        this.#problem("journal", undefined)
      } catch (error) {
        this.#problem("journal", sentence(error))
        await this.#parts.clock.sleep(this.#again(Math.min(failures, 7)), until)
      }
    }
  }

  async #turns(epoch: number, until: AbortSignal): Promise<void> {
    const performer = new Performer(this.#parts, epoch, () => this.#forbidden(until))
    const { app } = this.ledger
    this.#refusedForRoom = performer.refusedForRoom
    for (let first = true; !until.aborted; first = false) {
      let ordered = false
      const began = this.#parts.clock.mono()
      try {
        // What is heard of while it waits for its turn is seen in it.
        const turn = () => {
          if (this.#poke.signal.aborted) this.#poke = new AbortController()
          return this.#turn(performer, until)
        }
        ordered = this.#underWay()
          ? await turn()
          : await this.#shared.resting.through(() => this.#inPassing(turn))
        this.#problem("turn", undefined)
        this.#failures = performer.problems.size > 0 ? this.#failures + 1 : 0
      } catch (error) {
        if (until.aborted) return
        this.#problem("turn", sentence(error))
        this.#failures++
      }
      if (until.aborted) return
      const underWay = this.#underWay()
      // Ten thousand at rest would hold the wishes of all of them in memory, and look again in an hour.
      if (!underWay) {
        this.#asked = undefined
        performer.rest()
      }
      this.#shared.moves(app, ordered || underWay)
      const rest = ordered || underWay ? undefined : this.#rest(first)
      const pause = this.#pause(ordered, rest, this.#parts.clock.mono() - began)
      const where = pause === rest && this.#hasTimeFor(rest) ? this.#shared.rounds : this.#parts.clock
      await where.sleep(pause, this.#poke.signal)
    }
  }

  /** Of ten thousand at rest one is opened for a look, and lies packed again after it. */
  async #inPassing<T>(turn: () => Promise<T>): Promise<T> {
    this.ledger.borrow()
    try {
      return await turn()
    } finally {
      this.ledger.giveBack()
      this.#world.giveBack()
    }
  }

  /** Why no order may be given; asked before each one, because a call or a pause may have taken long. */
  #forbidden(until: AbortSignal): string | undefined {
    if (until.aborted) return "the application is no longer held here"
    if (this.#parts.killed()) return killSwitchSet
    const age = this.#shared.tenure.age()
    if (age > actWithin) return `the lease was asked for ${Math.round(age)} ms ago; it is renewed first`
    return undefined
  }

  /** Reality first, then what follows from it, then orders. Whether anything was ordered. */
  async #turn(performer: Performer, until: AbortSignal): Promise<boolean> {
    if (until.aborted) return false
    performer.from(this.ledger.state)
    const { clock } = this.#parts
    const [world] = await Promise.all([
      this.#shared.eyes.look(this.ledger.app, until),
      this.#parts.killed() ? undefined : performer.fence(this.ledger.app, this.#shared.eyes, until),
    ])
    if (until.aborted) return false
    if (this.#underWay()) this.#world.set(world)
    else this.#world.lend(world)
    for (const [server, problem] of Object.entries(world.problems)) this.#problem(`server ${server}`, problem)
    for (const server of world.servers.keys())
      if (!world.problems[server]) this.#problem(`server ${server}`, undefined)
    // What was observed, even when it is nothing, also lets the rules look at the time.
    for (const fact of factsFor(
      this.ledger.state,
      world,
      this.#parts.agents,
      this.#silence.standings(this.ledger.state, world),
    )) {
      if (until.aborted) return false
      await this.ledger.apply({ ...fact, at: clock.now(), by: "immunity" })
    }
    if (until.aborted) return false
    this.#reader.looked([...this.#parts.agents.keys()].filter((server) => !world.servers.has(server)))
    const { state } = this.ledger
    const known = this.#asked?.state === state ? this.#asked.effects : undefined
    const { effects, wakeAt } = wanted(state, clock.now(), known)
    this.#asked = { state, effects }
    this.#wakeAt = wakeAt
    this.#measures = effects.flatMap((effect) => (effect.kind === "measure" ? [effect.measure] : []))
    if (this.#measures.length > 0) void this.#watch(until)
    if (this.#parts.killed()) return false
    this.#problem("room", this.#parts.room())
    const ordered = await performer.perform(this.ledger.state, effects, world, until)
    for (const [label, problem] of performer.problems) this.#problem(label, problem)
    for (const label of this.problems.keys()) {
      if (/^(job|start|release|stop|routes|fence) /.test(label) && !performer.problems.has(label))
        this.problems.delete(label)
    }
    if (!ordered && !this.#underWay()) performer.prune(this.ledger.state, world, until)
    return ordered
  }

  #seen(): Glance {
    const { version } = this.ledger
    if (this.#glance?.version !== version) this.#glance = glanceAt(version, this.ledger.state)
    return this.#glance
  }

  #underWay(): boolean {
    return this.#seen().underWay
  }

  /** Begun at the same moment, they are not all looked at in the same moment ever after. */
  #rest(first: boolean): Duration {
    const rest = this.#shared.restFor()
    return first ? rest * fractionOf(this.ledger.app) : rest
  }

  /** Whether a rest may end a round later: the rules wait for no moment before that. */
  #hasTimeFor(rest: Duration): boolean {
    const { pace, clock } = this.#parts
    return this.#wakeAt === undefined || this.#wakeAt - clock.now() >= rest + pace.idle
  }

  /** By need: a stored event, a change on a server or the time wakes it; the pause is for what nobody tells. */
  #pause(ordered: boolean, rest: Duration | undefined, took: Duration): Duration {
    const { pace, clock } = this.#parts
    // What could not be done is not tried again at once.
    const soon = this.#failures > 0 ? pace.busy : untilNextLook(pace, took)
    if (ordered) return soon
    const again = this.#again(this.#failures)
    const left = rest ?? pace.idle
    const longest = this.#failures > 0 ? Math.min(left, again) : left
    if (this.#wakeAt === undefined) return Math.max(soon, longest)
    return Math.max(soon, Math.min(longest, this.#wakeAt - clock.now()))
  }

  #again(failures: number): Duration {
    const { idle } = this.#parts.pace
    return backOff(this.ledger.app, failures, { first: idle, longest: idle * 1_024 })
  }

  /** The judge's eye, beside the turns: a slow order must not keep it from seeing. Open while there is anything to see. */
  async #watch(until: AbortSignal): Promise<void> {
    if (this.#watching) return
    const by = { app: this.ledger.app, epoch: this.ledger.epoch }
    this.#watching = true
    const watches = new Map<string, Watch>()
    for (let specs = this.#measures; !until.aborted && specs.length > 0; specs = this.#measures) {
      const read = await this.#read(until)
      for (const spec of specs) {
        try {
          const key = `${spec.rollout}/${spec.stage}`
          const known = watches.get(key)
          // A change that a person accepted meanwhile is judged anew, from all that was measured.
          const watch = known?.judges(spec) ? known : await Watch.open(by, spec, this.#parts)
          watches.set(key, watch)
          const fact = await watch.look(this.ledger.state, spec, read, until)
          if (until.aborted) break
          if (fact === "fenced") this.#shared.tenure.lost(by.app)
          else if (fact)
            await this.ledger.apply({
              ...this.#withRefusing(fact),
              at: this.#parts.clock.now(),
              by: "immunity",
            })
          this.#problem(`watch ${spec.rollout}`, undefined)
        } catch (error) {
          if (!until.aborted) this.#problem(`watch ${spec.rollout}`, sentence(error))
        }
      }
      await this.#parts.clock.sleep(this.#parts.pace.measure, until)
    }
    this.#watching = false
    for (const label of this.problems.keys())
      if (label === "metrics" || label.startsWith("watch ")) this.#problem(label, undefined)
  }

  async #read(until: AbortSignal): Promise<RouterCounters | { readonly blind: string }> {
    const agent = [...this.#parts.agents.values()].find(({ instancesOnly }) => !instancesOnly)
    if (!agent) return { blind: "there is no agent to ask" }
    try {
      const counters = await this.#shared.eyes.counters(this.ledger.app, agent, until)
      this.#problem("metrics", undefined)
      return counters
    } catch (error) {
      const blind = `router: ${sentence(error)}`
      this.#problem("metrics", blind)
      return { blind }
    }
  }

  /** What the router itself knows of the instances: evidence that needs no monitoring. */
  #withRefusing(fact: Fact): Fact {
    const refusing = [...this.world.servers.values()].flatMap(({ router }) => router?.refusing ?? [])
    return fact.type === "looked" && refusing.length > 0 ? { ...fact, refusing } : fact
  }

  #problem(label: string, problem: string | undefined): void {
    const known = this.problems.get(label)
    if (problem === known) return
    if (problem === undefined) {
      this.problems.delete(label)
      this.#parts.log.info({ app: this.ledger.app, part: label }, "well again")
      return
    }
    this.problems.set(label, problem)
    this.#parts.log.warn({ app: this.ledger.app, part: label }, problem)
  }
}
