import type { AppName } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"
import type { MeasureSpec } from "../core/pipeline/effects.ts"
import { wanted } from "../core/pipeline/wanted.ts"
import type { StoredEvent } from "../ports/journal.ts"
import type { Lease } from "../ports/leases.ts"
import { killSwitchSet, Ledger } from "./ledger.ts"
import { factsFor, observeAll, type World } from "./observe.ts"
import { type Parts, sentence } from "./parts.ts"
import { Performer } from "./perform.ts"
import { newCommits } from "./poll.ts"
import type { RollbackBudget } from "./rollback-budget.ts"
import { Watch } from "./watch.ts"

const leaseFor = 8_000
const renewEvery = 2_000
/** Nothing is ordered in the last part of a lease: whoever comes next may already act. */
const actWithin = leaseFor * 0.6
/** One application's engine: load, look, decide, store, act, sleep; as long as its lease lasts. */
export class ApplicationLoop {
  readonly ledger: Ledger
  /** What keeps it from doing its work, in plain words; empty when nothing does. */
  readonly problems = new Map<string, string>()
  world: World = { servers: new Map(), problems: {} }
  readonly #parts: Parts
  readonly #stop = new AbortController()
  #poke = new AbortController()
  #look = new AbortController()
  #finished: Promise<unknown> | undefined
  #follows = false
  /** By our own clock, when the lease was last asked for with success; before the call, so never too late. */
  #leasedAt = Number.NEGATIVE_INFINITY
  #measures: readonly MeasureSpec[] = []
  /** When the rules next have something to do by themselves, as of the last turn. */
  #wakeAt: Instant | undefined

  constructor(
    app: AppName,
    parts: Parts,
    budget: RollbackBudget,
    heard: (events: readonly StoredEvent[]) => void,
  ) {
    this.#parts = parts
    this.ledger = new Ledger(app, parts, budget, (events) => {
      heard(events)
      this.poke()
    })
  }

  /** Begins once; whoever asks again is too late. */
  start(): void {
    this.#finished ??= this.#hold()
  }

  /** Ends after the current turn; gives the lease back. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.poke()
    await this.#finished
  }

  /** Whether another control plane holds the application. */
  get follows(): boolean {
    return this.#follows
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
    this.#poke.abort()
  }

  /** The repository may have something new: a hint, nothing more. */
  hint(): void {
    this.#look.abort()
  }

  async #hold(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const lease = await this.#acquire()
      if (!lease) {
        await this.#parts.clock.sleep(1_000, this.#stop.signal)
        continue
      }
      const term = new AbortController()
      const until = AbortSignal.any([this.#stop.signal, term.signal])
      this.ledger.epoch = lease.epoch
      await Promise.all([
        this.#renew(lease, term),
        this.#turns(lease, until),
        this.#watch(until),
        this.#poll(until),
      ])
      // What kept this one from its work keeps it no longer: the work is another's now.
      this.problems.clear()
      await this.#parts.leases.release(lease, this.#parts.owner).catch(() => undefined)
    }
  }

  async #acquire(): Promise<Lease | undefined> {
    const asked = this.#parts.clock.mono()
    try {
      const lease = await this.#parts.leases.acquire(`app/${this.ledger.app}`, this.#parts.owner, leaseFor)
      this.#follows = lease === undefined
      this.#leasedAt = asked
      if (lease) await this.ledger.catchUp()
      this.#problem("lease", undefined)
      return lease
    } catch (error) {
      this.#problem("lease", sentence(error))
      return undefined
    }
  }

  async #renew(lease: Lease, term: AbortController): Promise<void> {
    const { clock, leases, owner } = this.#parts
    const until = AbortSignal.any([this.#stop.signal, term.signal])
    while (!until.aborted) {
      await clock.sleep(renewEvery, until)
      if (until.aborted) return
      const asked = clock.mono()
      try {
        if (!(await leases.renew(lease, owner, leaseFor))) {
          this.#parts.log.warn({ app: this.ledger.app }, "the lease went to another control plane")
          term.abort()
          return
        }
        this.#leasedAt = asked
        this.#problem("lease", undefined)
      } catch (error) {
        this.#problem("lease", sentence(error))
      }
      if (clock.mono() - this.#leasedAt > actWithin) term.abort()
    }
  }

  async #turns(lease: Lease, until: AbortSignal): Promise<void> {
    const performer = new Performer(this.#parts, lease.epoch, () => this.#forbidden())
    while (!until.aborted) {
      this.#poke = new AbortController()
      let moving = false
      try {
        moving = await this.#turn(performer, until)
        this.#problem("turn", undefined)
      } catch (error) {
        if (until.aborted) return
        this.#problem("turn", sentence(error))
      }
      await this.#parts.clock.sleep(this.#pause(moving), AbortSignal.any([until, this.#poke.signal]))
    }
  }

  /** Why no order may be given; asked before each one, because a call or a pause may have taken long. */
  #forbidden(): string | undefined {
    if (this.#parts.killed()) return killSwitchSet
    const age = this.#parts.clock.mono() - this.#leasedAt
    if (age > actWithin) return `the lease was asked for ${Math.round(age)} ms ago; it is renewed first`
    return undefined
  }

  /** Reality first, then what follows from it, then orders. */
  async #turn(performer: Performer, until: AbortSignal): Promise<boolean> {
    const { clock } = this.#parts
    const [world] = await Promise.all([
      observeAll(this.#parts, until),
      this.#parts.killed() ? undefined : performer.fence(this.ledger.app, until),
    ])
    if (until.aborted) return false
    this.world = world
    for (const [server, problem] of Object.entries(this.world.problems))
      this.#problem(`server ${server}`, problem)
    for (const server of this.world.servers.keys())
      if (!this.world.problems[server]) this.#problem(`server ${server}`, undefined)
    // What was observed, even when it is nothing, also lets the rules look at the time.
    for (const fact of factsFor(this.ledger.state, this.world, this.#parts.agents)) {
      if (until.aborted) return false
      await this.ledger.apply({ ...fact, at: clock.now(), by: "immunity" })
    }
    const { effects, wakeAt } = wanted(this.ledger.state, clock.now())
    this.#wakeAt = wakeAt
    this.#measures = effects.flatMap((effect) => (effect.kind === "measure" ? [effect.measure] : []))
    if (this.#parts.killed()) {
      this.#problem("kill switch", killSwitchSet)
      return false
    }
    this.#problem("kill switch", undefined)
    this.#problem("room", this.#parts.room())
    const ordered = await performer.perform(this.ledger.state, effects, this.world, until)
    for (const [label, problem] of performer.problems) this.#problem(label, problem)
    for (const label of this.problems.keys()) {
      if (/^(job|start|release|stop|routes|fence) /.test(label) && !performer.problems.has(label))
        this.problems.delete(label)
    }
    return ordered || this.#underWay()
  }

  #underWay(): boolean {
    const { state } = this.ledger
    return (
      state.commits.some((commit) => commit.state.name === "building") ||
      state.regions.some(
        (region) =>
          region.active !== undefined ||
          Object.values(region.instances).some(
            (instance) => instance.retired || instance.state === "starting",
          ),
      )
    )
  }

  #pause(moving: boolean): number {
    const { pace, clock } = this.#parts
    if (moving) return pace.busy
    if (this.#wakeAt === undefined) return pace.idle
    return Math.max(pace.busy, Math.min(pace.idle, this.#wakeAt - clock.now()))
  }

  /** The judge's eye, beside the turns: a slow order must not keep it from seeing. */
  async #watch(until: AbortSignal): Promise<void> {
    const watches = new Map<string, Watch>()
    while (!until.aborted) {
      await this.#parts.clock.sleep(this.#parts.pace.measure, until)
      if (until.aborted) return
      const specs = this.#measures
      if (specs.length === 0) {
        watches.clear()
        for (const label of this.problems.keys())
          if (label === "metrics" || label.startsWith("watch ")) this.#problem(label, undefined)
        continue
      }
      const read = await this.#read(until)
      for (const spec of specs) {
        try {
          const key = `${spec.rollout}/${spec.stage}`
          const known = watches.get(key)
          // A change that a person accepted meanwhile is judged anew, from all that was measured.
          const watch = known?.judges(spec) ? known : await Watch.open(this.ledger.app, spec, this.#parts)
          watches.set(key, watch)
          const fact = await watch.look(this.ledger.state, spec, read, until)
          if (fact && !until.aborted)
            await this.ledger.apply({ ...fact, at: this.#parts.clock.now(), by: "immunity" })
          this.#problem(`watch ${spec.rollout}`, undefined)
        } catch (error) {
          if (!until.aborted) this.#problem(`watch ${spec.rollout}`, sentence(error))
        }
      }
    }
  }

  async #read(
    until: AbortSignal,
  ): Promise<
    | Awaited<ReturnType<NonNullable<ReturnType<Parts["agents"]["get"]>>["counters"]>>
    | { readonly blind: string }
  > {
    const agent = [...this.#parts.agents.values()].find(({ instancesOnly }) => !instancesOnly)
    if (!agent) return { blind: "there is no agent to ask" }
    try {
      const counters = await agent.counters(
        AbortSignal.any([until, AbortSignal.timeout(this.#parts.pace.call)]),
      )
      this.#problem("metrics", undefined)
      return counters
    } catch (error) {
      const blind = `router: ${sentence(error)}`
      this.#problem("metrics", blind)
      return { blind }
    }
  }

  async #poll(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      this.#look = new AbortController()
      try {
        for (const input of await newCommits(this.#parts, this.ledger.state, until))
          await this.ledger.apply(input)
        this.#problem("source", undefined)
      } catch (error) {
        if (until.aborted) return
        this.#problem("source", sentence(error))
      }
      await this.#parts.clock.sleep(this.#parts.pace.poll, AbortSignal.any([until, this.#look.signal]))
    }
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
