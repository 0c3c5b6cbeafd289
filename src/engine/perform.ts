import type { Digest, InstanceId, ServerName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import { unreachable } from "../core/model/unreachable.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Effect, InstanceSpec, JobSpec, RouteSpec } from "../core/pipeline/effects.ts"
import type { Agent, Observed } from "../ports/agent.ts"
import type { Fence } from "../ports/router.ts"
import { configPurpose, type Sealer } from "../ports/sealer.ts"
import { Bringing } from "./bring.ts"
import { released, type World } from "./observe.ts"
import { type Parts, sentence } from "./parts.ts"
import { Pruning } from "./prune.ts"
import { sparing, straysIn } from "./strays.ts"
import { within } from "./within.ts"

type Table = { readonly routes: readonly RouteSpec[]; readonly text: string }

/** Brings the world to what is wanted, one application through one lease. Every order is safe to repeat. */
export class Performer {
  readonly #parts: Parts
  readonly #epoch: number
  readonly #forbidden: () => string | undefined
  readonly #pushed = new Map<ServerName, { readonly table: string; readonly at: Duration }>()
  readonly #fenced = new Set<ServerName>()
  readonly #running = new Set<string>()
  /** Made when it is first needed, as most are never. */
  #bringing: Bringing | undefined
  readonly #pruning: Pruning
  /** As of the last turn. */
  #effects: readonly Effect[] = nothing
  /** The same by their labels. */
  #wanted: ReadonlySet<string> = none
  /** The table that they want, as it is compared. */
  #table: Table | undefined
  #generation = 0
  /** What could not be done in the last turn, by order, in plain words. */
  readonly problems = new Map<string, string>()
  /** Instances that were refused for lack of room and are wanted still, and what was said. */
  readonly refusedForRoom = new Map<InstanceId, string>()

  /** `forbidden` says why no order may be given at this moment. */
  constructor(parts: Parts, epoch: number, forbidden: () => string | undefined) {
    this.#parts = parts
    this.#epoch = epoch
    this.#forbidden = forbidden
    this.#pruning = new Pruning(parts)
  }

  /** The barrier: every server knows our epoch before the first of our orders reaches any. */
  async fence(
    app: string,
    silence: { readonly isSilent: (server: ServerName) => boolean },
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(
      [...this.#parts.agents.values()].map(async (agent) => {
        if (this.#fenced.has(agent.server) || silence.isSilent(agent.server)) return
        try {
          const answer = await this.#timed(signal, (limit) => agent.fence(app, this.#epoch, limit))
          if (answer.kind === "done") this.#fenced.add(agent.server)
          this.#note(`fence ${agent.server}`, answer.kind === "refused" ? answer.because : undefined)
        } catch (error) {
          this.#note(`fence ${agent.server}`, sentence(error))
        }
      }),
    )
  }

  /** Performs what is wanted and not yet so, as decided just now; returns whether anything was ordered. */
  async perform(
    state: Application,
    effects: readonly Effect[],
    world: World,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (effects !== this.#effects) {
      this.#effects = effects
      this.#wanted = new Set(effects.map(labelOf))
    }
    this.#forgetUnwanted()
    let ordered = false
    // Traffic first, and at every server at once: nothing may come between deciding on a weight and sending it,
    // because a person may say halt meanwhile. Then whatever is started, ended or tested.
    for (const effect of effects) {
      if (effect.kind === "set-routes")
        ordered = (await this.#setRoutes(state, effect.routes, world, signal)) || ordered
    }
    const others = [...effects, ...straysIn(state, world, released(world, this.#parts.agents))].filter(
      (effect) => effect.kind !== "set-routes" && effect.kind !== "measure" && !this.#isSo(effect, world),
    )
    const slow = new Set(others.filter((effect) => isSlow(effect) || this.#isFarAway(effect)))
    const quick = others.filter((effect) => !slow.has(effect))
    for (const effect of slow) this.#inBackground(state, effect, world, signal)
    const done = await Promise.all(quick.map((effect) => this.#guarded(state, effect, world, signal)))
    return ordered || done.some(Boolean)
  }

  /** Most of what is wanted is so at most looks: nothing has to be begun, or waited for, to find that out. */
  #isSo(effect: Effect, world: World): boolean {
    if (effect.kind !== "start-instance") return false
    const { agent, seen } = this.#at(effect.instance.server, world)
    const { id } = effect.instance
    if (!agent || !seen?.instances.some((instance) => instance.id === id)) return false
    this.refusedForRoom.delete(id)
    this.#note(labelOf(effect), undefined)
    return true
  }

  /** Nothing is under way: what is wanted, most of what it knows, is told again with the next turn. */
  rest(): void {
    if (this.#running.size > 0) return
    this.#effects = nothing
    this.#wanted = none
    this.#table = undefined
  }

  /** Before the first turn. */
  from(state: Application): void {
    this.#pruning.from(state)
  }

  /** What no release needs any more goes from the servers that answer. Nothing waits for it, and it is no problem. */
  prune(state: Application, world: World, signal: AbortSignal): void {
    if (state.ahead) return
    for (const server of this.#parts.agents.keys()) {
      const { agent, seen } = this.#at(server, world)
      if (agent && seen) this.#pruning.begin(state, agent, () => this.#next(state.app), signal)
    }
  }

  /** What could not be done and is no longer wanted is no problem any more. */
  #forgetUnwanted(): void {
    for (const label of this.problems.keys())
      if (/^(job|start|release|stop) /.test(label) && !this.#wanted.has(label)) this.problems.delete(label)
    for (const id of this.refusedForRoom.keys())
      if (!this.#wanted.has(`start ${id}`)) this.refusedForRoom.delete(id)
  }

  /** Its artifact may have to travel first. */
  #isFarAway(effect: Effect): boolean {
    if (effect.kind !== "start-instance") return false
    return this.#parts.agents.get(effect.instance.server)?.instancesOnly === true
  }

  /** What may take long must not keep traffic waiting; one order of a kind and name at a time. */
  #inBackground(state: Application, effect: Effect, world: World, signal: AbortSignal): void {
    const label = labelOf(effect)
    if (this.#running.has(label)) return
    this.#running.add(label)
    void this.#guarded(state, effect, world, signal).finally(() => this.#running.delete(label))
  }

  async #guarded(state: Application, effect: Effect, world: World, signal: AbortSignal): Promise<boolean> {
    const label = labelOf(effect)
    try {
      const refused = await this.#one(state, effect, world, signal)
      this.#note(label, refused === "" ? undefined : refused)
      return refused !== undefined
    } catch (error) {
      this.#note(label, sentence(error))
      return true
    }
  }

  /** Undefined: nothing to do. Empty: done. Otherwise: why it was refused. */
  async #one(
    state: Application,
    effect: Effect,
    world: World,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    switch (effect.kind) {
      case "set-routes":
      case "measure":
        return undefined
      case "run-job":
        return this.#runJob(state, effect.job, world, signal)
      case "start-instance": {
        const { agent, seen } = this.#at(effect.instance.server, world)
        if (!agent || !seen) return undefined
        await this.#bring(state.app, effect.instance.digest, agent, signal)
        // The journey may have taken long, and the instance been given up meanwhile.
        if (!this.#wanted.has(labelOf(effect))) return undefined
        const instance = opened(this.#parts.sealer, state.app, effect.instance)
        const answer = await this.#timed(signal, (limit) =>
          agent.startInstance(this.#next(state.app), instance, limit),
        )
        if (answer.kind === "refused" && answer.code === "no-room")
          this.refusedForRoom.set(instance.id, answer.because)
        else this.refusedForRoom.delete(instance.id)
        return because(answer)
      }
      case "release-instance":
        return this.#release(state.app, effect, world, signal)
      case "stop-instance": {
        const { agent, seen } = this.#at(effect.server, world)
        if (!agent || !seen?.instances.some((instance) => instance.id === effect.instance)) return undefined
        const wait = AbortSignal.any([signal, AbortSignal.timeout(this.#parts.pace.call + effect.grace)])
        if (agent.instancesOnly) {
          // It has no router that could have told it: whoever has one has let go of the instance already.
          const told = await agent.releaseInstance(this.#next(state.app), effect.instance, 0, wait)
          if (told.kind === "refused") return told.because
        }
        return because(await agent.stopInstance(this.#next(state.app), effect.instance, effect.grace, wait))
      }
      default:
        return unreachable(effect)
    }
  }

  #bring(app: string, digest: Digest, to: Agent, signal: AbortSignal): Promise<void> {
    this.#bringing ??= new Bringing(this.#parts)
    return this.#bringing.bring(() => this.#next(app), digest, to, signal)
  }

  /** At every router: an instance is let go of when none of them sends anybody to it any more. */
  async #release(
    app: string,
    { instance, drain }: Extract<Effect, { kind: "release-instance" }>,
    world: World,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const answers = await Promise.all(
      this.#routing().map(async ({ server }) => {
        const { agent, seen } = this.#at(server, world)
        if (!agent || !seen?.router || seen.router.released.includes(instance)) return undefined
        const answer = await this.#timed(signal, (limit) =>
          agent.releaseInstance(this.#next(app), instance, drain, limit),
        )
        return answer.kind === "refused" ? answer.because : ""
      }),
    )
    const said = answers.filter((answer) => answer !== undefined)
    return said.find((answer) => answer !== "") ?? said[0]
  }

  /** The servers that users come in through. */
  #routing(): readonly Agent[] {
    return [...this.#parts.agents.values()].filter(({ instancesOnly }) => !instancesOnly)
  }

  async #runJob(
    state: Application,
    job: JobSpec,
    world: World,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    // A test reaches the new instances through a router's address, which is on that router's own loopback.
    const named = this.#parts.agents.get(job.server)
    const tester = job.kind === "test" && (!named || named.instancesOnly) ? this.#routing()[0] : undefined
    const { agent, seen } = this.#at(tester?.server ?? job.server, world)
    if (!agent || !seen || seen.jobs.some((known) => known.id === job.id)) return undefined
    // The journey may have taken long, and the job been given up meanwhile.
    const isWanted = () => this.#wanted.has(labelOf({ kind: "run-job", job }))
    if (job.kind === "test") {
      const listener = seen.router?.listeners[job.route]
      const serves = seen.router?.apps[state.app]?.routes.some(
        (route) => route.route === job.route && route.pools.length > 0,
      )
      if (!listener || !serves) return undefined
      await this.#bring(state.app, job.digest, agent, signal)
      if (!isWanted()) return undefined
      return because(
        await this.#timed(signal, (limit) =>
          agent.runJob(this.#next(state.app), job, `http://${listener}`, limit),
        ),
      )
    }
    const upload = AbortSignal.any([signal, AbortSignal.timeout(120_000)])
    const tar = await this.#parts.source.archive(state.source, job.commit, upload)
    if (!isWanted()) {
      tar.destroy()
      return undefined
    }
    const brought = await agent.putSource(this.#next(state.app), job.commit, tar, upload)
    if (brought.kind === "refused") return brought.because
    if (!isWanted()) return undefined
    return because(
      await this.#timed(signal, (limit) => agent.runJob(this.#next(state.app), job, undefined, limit)),
    )
  }

  async #setRoutes(
    state: Application,
    routes: readonly RouteSpec[],
    world: World,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#table?.routes !== routes) this.#table = { routes, text: JSON.stringify(routes) }
    const usual = this.#table
    const agents = this.#routing().filter(({ server }) => this.#fenced.has(server))
    const ordered = await Promise.all(
      agents.map((agent) => {
        const spared = sparing(state, routes, world, agent.server)
        const table = spared === routes ? usual : { routes: spared, text: JSON.stringify(spared) }
        return this.#push(agent, state.app, table, world, signal)
      }),
    )
    return ordered.some(Boolean)
  }

  /** The whole table to one server, when it is news or due; returns whether it was news there. */
  async #push(
    agent: Agent,
    app: string,
    { routes, text: table }: Table,
    world: World,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, pace } = this.#parts
    const seen = world.servers.get(agent.server)
    const known = seen?.router?.apps[app]
    const last = this.#pushed.get(agent.server)
    const due = !last || last.table !== table || clock.mono() - last.at >= pace.push
    // A router that came back without our table, or with an older one, is told at once.
    const forgotten = seen?.router !== undefined && (known?.epoch !== this.#epoch || known.generation < 1)
    if (!due && !forgotten) return false
    try {
      const answer = await this.#timed(signal, (limit) => agent.setRoutes(this.#next(app), routes, limit))
      this.#note(`routes ${agent.server}`, answer.kind === "refused" ? answer.because : undefined)
      if (answer.kind === "refused") return false
      // The same text that lies there already, so that of ten thousand pushes at rest none leaves one behind.
      this.#pushed.set(agent.server, { table: last?.table === table ? last.table : table, at: clock.mono() })
      // After a start nothing was pushed yet, and most routers have the very table: nothing needs to be looked at again.
      return (last?.table ?? (known && JSON.stringify(known.routes))) !== table
    } catch (error) {
      // Unknown outcome: the next turn pushes again with a newer generation, which supersedes it.
      this.#pushed.delete(agent.server)
      this.#note(`routes ${agent.server}`, sentence(error))
      return true
    }
  }

  #at(server: ServerName, world: World): { agent: Agent | undefined; seen: Observed | undefined } {
    const fenced = this.#fenced.has(server)
    return { agent: fenced ? this.#parts.agents.get(server) : undefined, seen: world.servers.get(server) }
  }

  /** The fence of the next order; throws when none may be given any more. */
  #next(app: string): Fence {
    const forbidden = this.#forbidden()
    if (forbidden) throw new Error(forbidden)
    this.#generation += 1
    return { app, epoch: this.#epoch, generation: this.#generation }
  }

  #timed<T>(signal: AbortSignal, act: (limit: AbortSignal) => Promise<T>): Promise<T> {
    return within(this.#parts.clock, this.#parts.pace.call, signal, act)
  }

  #note(label: string, problem: string | undefined): void {
    if (problem === undefined) {
      this.problems.delete(label)
      return
    }
    if (this.problems.get(label) !== problem) this.#parts.log.warn({ order: label }, problem)
    this.problems.set(label, problem)
  }
}

const nothing: readonly Effect[] = []
const none: ReadonlySet<string> = new Set()

const isSlow = (effect: Effect): boolean => effect.kind === "stop-instance" || effect.kind === "run-job"

const because = (
  ordered: { readonly kind: "done" } | { readonly kind: "refused"; readonly because: string },
): string => (ordered.kind === "refused" ? ordered.because : "")

function labelOf(effect: Effect): string {
  switch (effect.kind) {
    case "run-job":
      return `job ${effect.job.id}`
    case "start-instance":
      return `start ${effect.instance.id}`
    case "release-instance":
      return `release ${effect.instance}`
    case "stop-instance":
      return `stop ${effect.instance}`
    case "set-routes":
    case "measure":
      return effect.kind
    default:
      return unreachable(effect)
  }
}

/** Secrets are opened on their way to an agent, and nowhere else. */
function opened(sealer: Sealer, app: string, spec: InstanceSpec): InstanceSpec {
  if (!spec.configuration) return spec
  const values = Object.entries(spec.configuration.values).map(([key, value]) => {
    const plain = "plain" in value ? value.plain : sealer.open(value.sealed, configPurpose(app, key))
    return [key, { plain }] as const
  })
  return { ...spec, configuration: { ...spec.configuration, values: Object.fromEntries(values) } }
}
