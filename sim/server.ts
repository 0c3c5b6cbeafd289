import type { Digest } from "../src/core/model/ids.ts"
import type { InstanceSpec, JobSpec, RouteSpec } from "../src/core/pipeline/effects.ts"
import type { Difference } from "../src/core/pipeline/events.ts"
import type { JobOutcome } from "../src/core/pipeline/input.ts"
import type { AgentInstance, News, Observed, Ordered, Pruned } from "../src/ports/agent.ts"
import type { RouterCounters } from "../src/ports/counters.ts"
import type { Applied, Fence, Released } from "../src/ports/router.ts"
import type { Chance } from "./random.ts"
import type { MetricsLie, Nature } from "./scenario.ts"
import { Traffic } from "./traffic.ts"

export type SimInstance = {
  /** The how-manieth here. */
  readonly serial: number
  readonly spec: InstanceSpec
  readonly app: string
  readonly startedAt: number
  readonly readyAt: number
  readonly nature: Nature
  endedAt: number | undefined
  /** Ended by an order, not by itself. */
  stopped: boolean
  /** Its probe fails between these two. */
  unreadySince: number
  unreadyUntil: number
  differences: readonly Difference[]
  /** Requests are on it until then; for ever while it has weight. */
  busyUntil: number
}

type Table = { readonly epoch: number; readonly generation: number; readonly routes: readonly RouteSpec[] }
type Job = {
  readonly serial: number
  readonly job: JobSpec
  readonly app: string
  readonly startedAt: number
  readonly endsAt: number
  readonly outcome: JobOutcome
}

const refused = (because: string): { readonly kind: "refused"; readonly because: string } => ({
  kind: "refused",
  because,
})

/** One server: its agent, its router and what runs there; the promises of the real ones, kept by a model. */
export class Server {
  readonly name: string
  readonly instances = new Map<string, SimInstance>()
  readonly released = new Set<string>()
  /** Instances that are gone with whatever they ran on. */
  readonly lost = new Set<string>()
  readonly jobs = new Map<string, Job>()
  readonly pruned = new Set<Digest>()
  tables: Readonly<Record<string, Table>> = {}
  readonly epochs = new Map<string, number>()
  readonly #lastSeen = new Map<string, { readonly essential: Essential; readonly changedIn: number }>()
  /** What a table says of its routes; made once for each. */
  readonly #essentials = new WeakMap<Table, string>()
  #shown:
    | { readonly tables: Server["tables"]; readonly released: number; readonly state: Observed["router"] }
    | undefined
  #looks = 0
  readonly traffic: Traffic
  routerProblem: string | undefined
  metricsLie: MetricsLie | undefined
  /** When it began to lie. */
  lieSince = 0
  readonly #now: () => number
  readonly #chance: Chance
  readonly #natureOf: (commit: string) => Nature

  constructor(name: string, now: () => number, chance: Chance, natureOf: (commit: string) => Nature) {
    this.name = name
    this.#now = now
    this.#chance = chance
    this.#natureOf = natureOf
    this.traffic = new Traffic((id) => {
      const known = this.instances.get(id)
      return known && { nature: known.nature, answers: known.endedAt === undefined && now() >= known.readyAt }
    })
  }

  fence(app: string, epoch: number): Ordered {
    const stale = this.#stale(app, epoch)
    if (stale) return refused(stale)
    this.#router()
    const table = this.tables[app]
    if (!table || epoch > table.epoch)
      this.tables = { ...this.tables, [app]: { epoch, generation: 0, routes: table?.routes ?? [] } }
    this.epochs.set(app, epoch)
    return { kind: "done" }
  }

  /** Whose things changed since a mark; told like a real agent tells it, by what was seen at the last question. */
  news(since: string | undefined): News {
    this.#looks++
    const now = this.#now()
    const seen = new Map<string, (number | string)[]>()
    const of = (app: string): (number | string)[] => {
      let known = seen.get(app)
      if (!known) {
        known = []
        seen.set(app, known)
      }
      return known
    }
    for (const instance of this.instances.values())
      if (!instance.stopped)
        of(instance.app).push(instance.serial, stateOf(instance, now), instance.differences.length)
    for (const { serial, app, endsAt } of this.jobs.values()) of(app).push(-serial, endsAt <= now ? 1 : 0)
    if (this.routerProblem === undefined)
      for (const [app, table] of Object.entries(this.tables)) of(app).push(this.#essentialOf(table))
    for (const app of [...this.#lastSeen.keys()]) if (!seen.has(app)) seen.set(app, [])
    for (const [app, essential] of seen) {
      const last = this.#lastSeen.get(app)
      if (!same(last?.essential, essential)) this.#lastSeen.set(app, { essential, changedIn: this.#looks })
    }
    const mark = `${this.#looks}`
    if (since === undefined) return { mark, changed: "all" }
    const changed: string[] = []
    for (const [app, { changedIn }] of this.#lastSeen) if (changedIn > Number(since)) changed.push(app)
    return { mark, changed }
  }

  #essentialOf(table: Table): string {
    const known = this.#essentials.get(table)
    if (known !== undefined) return known
    const { epoch, routes } = table
    const pools = routes.flatMap((route) => route.pools.map((pool) => ({ route: route.route, ...pool })))
    const told = pools.map(({ route, pool, weight, instances }) =>
      [route, pool, weight, instances.map(({ id }) => id)].join(" "),
    )
    const made = [epoch, ...told].join(" ")
    this.#essentials.set(table, made)
    return made
  }

  observe(apps: readonly string[]): Observed {
    const now = this.#now()
    const instances: AgentInstance[] = []
    for (const instance of this.instances.values())
      if (!instance.stopped && apps.includes(instance.app)) instances.push(this.#seen(instance, now))
    const jobs: Observed["jobs"][number][] = []
    for (const { job, app, startedAt, endsAt, outcome } of this.jobs.values()) {
      if (!apps.includes(app)) continue
      const ended = endsAt <= now
      const state = ended ? "ended" : "running"
      jobs.push({ id: job.id, app, state, startedAt, outcome: ended ? outcome : undefined })
    }
    return {
      server: this.name,
      at: now,
      instances,
      jobs,
      router: this.routerProblem === undefined ? this.#routerState() : undefined,
      routerProblem: this.routerProblem,
      diskFree: 1e12,
    }
  }

  putSource(fence: Fence): Ordered {
    const stale = this.#guard(fence)
    return stale ? refused(stale) : { kind: "done" }
  }

  runJob(fence: Fence, job: JobSpec): Ordered {
    const stale = this.#guard(fence)
    if (stale) return refused(stale)
    if (this.jobs.has(job.id)) return { kind: "done" }
    const now = this.#now()
    const nature = this.#natureOf(job.kind === "build" ? job.commit : job.release)
    const outcome = outcomeOf(job, nature)
    // Built again after its application was removed and came back.
    if (outcome.kind === "built") this.pruned.delete(outcome.digest)
    this.jobs.set(job.id, {
      serial: this.jobs.size + 1,
      job,
      app: fence.app,
      startedAt: now,
      endsAt: now + 500 + this.#chance.between(`job:${job.id}`, 0, 1500),
      outcome,
    })
    return { kind: "done" }
  }

  /** What was built for the application, is not on the list and runs nowhere is gone: nothing starts from it. */
  keepArtifacts(fence: Fence, keep: readonly Digest[] | "nothing"): Pruned {
    const stale = this.#guard(fence)
    if (stale) return refused(stale)
    const used = [...this.instances.values()].flatMap(({ stopped, spec }) => (stopped ? [] : [spec.digest]))
    const built = [...this.jobs.values()].flatMap(({ app, outcome, endsAt }) =>
      app === fence.app && outcome.kind === "built" && endsAt <= this.#now() ? [outcome.digest] : [],
    )
    const going = built.filter((digest) => ![...keep, ...used, ...this.pruned].includes(digest))
    for (const digest of going) this.pruned.add(digest)
    return { kind: "done", removed: going.length, bytes: going.length, left: 0 }
  }

  startInstance(fence: Fence, spec: InstanceSpec): Ordered {
    const stale = this.#guard(fence)
    if (stale) return refused(stale)
    if (this.pruned.has(spec.digest)) return refused(`there is no artifact ${spec.digest} on this server`)
    if (this.released.has(spec.id)) return refused(`${spec.id} was released; its id is never used again`)
    const known = this.instances.get(spec.id)
    if (known)
      return known.stopped
        ? refused(`${spec.id} ran before and ended; its id is never used again`)
        : { kind: "done" }
    const now = this.#now()
    const nature = this.#natureOf(spec.release)
    const slow = this.#chance.between(`start:${spec.id}`, 300, 2500)
    const lives = nature === "crashes" ? now + slow + 200 : undefined
    this.instances.set(spec.id, {
      serial: this.instances.size + 1,
      spec,
      app: fence.app,
      startedAt: now,
      readyAt: nature === "never-healthy" || nature === "crashes" ? Number.POSITIVE_INFINITY : now + slow,
      nature,
      endedAt: lives,
      stopped: false,
      unreadySince: 0,
      unreadyUntil: 0,
      differences: [],
      busyUntil: 0,
    })
    return { kind: "done" }
  }

  stopInstance(fence: Fence, id: string): Ordered {
    const stale = this.#guard(fence)
    if (stale) return refused(stale)
    const known = this.instances.get(id)
    if (known && known.app !== fence.app) return refused(`${id} belongs to another application`)
    if (!this.released.has(id))
      return refused(`${id} is not released by the router; users may still be on it`)
    if (known && !known.stopped) {
      known.endedAt ??= this.#now()
      known.stopped = true
    }
    return { kind: "done" }
  }

  setRoutes(fence: Fence, routes: readonly RouteSpec[]): Applied {
    const stale = this.#guard(fence)
    if (stale) return { kind: "refused", code: "stale", because: stale }
    this.#router()
    const { app, epoch, generation } = fence
    const known = this.tables[app]
    if (known && (epoch < known.epoch || (epoch === known.epoch && generation < known.generation)))
      return {
        kind: "refused",
        code: "stale",
        because: `generation ${generation} is older than ${known.generation}`,
      }
    const gone = routes
      .flatMap((r) => r.pools.flatMap((p) => p.instances))
      .find(({ id }) => this.released.has(id))
    if (gone) return { kind: "refused", code: "invalid", because: `${gone.id} was released` }
    this.#apply(app, { epoch, generation, routes })
    return { kind: "applied" }
  }

  releaseInstance(
    fence: Fence,
    id: string,
    drain: number,
  ): Released | { readonly kind: "refused"; readonly because: string } {
    const stale = this.#guard(fence)
    if (stale) return refused(stale)
    this.#router()
    if (this.released.has(id)) return { kind: "released" }
    const weight = this.weightOn(id)
    const instance = this.instances.get(id)
    if (weight > 0) return { kind: "busy", weight, inFlight: 1 }
    if (instance && instance.busyUntil > this.#now()) {
      instance.busyUntil = Math.min(instance.busyUntil, this.#now() + drain)
      return { kind: "busy", weight: 0, inFlight: 1 }
    }
    this.released.add(id)
    const without = (table: Table): Table => ({
      ...table,
      routes: table.routes.map((route) => ({
        ...route,
        pools: route.pools.map((pool) => ({
          ...pool,
          instances: pool.instances.filter((known) => known.id !== id),
        })),
      })),
    })
    this.tables = Object.fromEntries(Object.entries(this.tables).map(([app, table]) => [app, without(table)]))
    this.#follow()
    return { kind: "released" }
  }

  /** Lost with whatever it ran on: nothing of it is left to be seen. */
  forget(id: string): void {
    const instance = this.instances.get(id)
    if (!instance) return
    this.lost.add(id)
    instance.endedAt ??= this.#now()
    instance.stopped = true
  }

  counters(): RouterCounters {
    this.#router()
    if (this.metricsLie === "blind") throw new Error("the router does not answer on its counters")
    return this.traffic.counters(this.#now(), this.metricsLie ?? "none")
  }

  /** The largest weight of a pool that names it. */
  weightOn(id: string): number {
    let weight = 0
    for (const table of Object.values(this.tables))
      for (const route of table.routes)
        for (const pool of route.pools)
          if (pool.instances.some((known) => known.id === id)) weight = Math.max(weight, pool.weight)
    return weight
  }

  #apply(app: string, table: Table): void {
    const before = this.tables[app]
    this.tables = { ...this.tables, [app]: table }
    const after = weighted(table.routes)
    for (const id of weighted(before?.routes ?? [])) {
      const instance = after.has(id) ? undefined : this.instances.get(id)
      if (instance) instance.busyUntil = this.#now() + this.#chance.between(`flight:${id}`, 0, 1500)
    }
    this.#follow()
  }

  #follow(): void {
    this.traffic.follow(
      Object.values(this.tables).flatMap((table) => table.routes),
      this.#now(),
    )
  }

  #seen(instance: SimInstance, now: number): AgentInstance {
    const state = stateOf(instance, now)
    const ended = state === "ended"
    return {
      id: instance.spec.id,
      app: instance.app,
      state,
      address: "127.0.0.1:20001",
      startedAt: instance.startedAt,
      exit: ended ? { code: 1, signal: undefined, because: "ended with exit code 1" } : undefined,
      memory: undefined,
      differences: instance.differences,
      probe: undefined,
    }
  }

  /** Made anew only when it is news: it is asked for far more often than it changes. */
  #routerState(): Observed["router"] {
    const { tables } = this
    const released = this.released.size
    if (this.#shown?.tables !== tables || this.#shown.released !== released)
      this.#shown = { tables, released, state: this.#routerNow() }
    return this.#shown.state
  }

  #routerNow(): Observed["router"] {
    const routes = Object.values(this.tables).flatMap((table) => table.routes)
    return {
      pid: 1,
      apps: this.tables,
      listeners: Object.fromEntries(routes.map((route) => [route.route, "127.0.0.1:8080"])),
      inFlight: {},
      released: [...this.released],
      degraded: undefined,
    }
  }

  #router(): void {
    if (this.routerProblem !== undefined) throw new Error(this.routerProblem)
  }

  #guard(fence: Fence): string | undefined {
    const stale = this.#stale(fence.app, fence.epoch)
    if (stale) return stale
    this.epochs.set(fence.app, fence.epoch)
    return undefined
  }

  #stale(app: string, epoch: number): string | undefined {
    const known = this.epochs.get(app) ?? 0
    return epoch < known ? `epoch ${epoch} is older than ${known}` : undefined
  }
}

/** What makes it news: whatever is there, and in which state. */
type Essential = readonly (number | string)[]

const same = (a: Essential | undefined, b: Essential): boolean =>
  a !== undefined && a.length === b.length && a.every((one, i) => one === b[i])

/** Who has users by a table; no other application's table names them. */
function weighted(routes: readonly RouteSpec[]): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const { pools } of routes)
    for (const { weight, instances } of pools) if (weight > 0) for (const { id } of instances) ids.add(id)
  return ids
}

function stateOf(instance: SimInstance, now: number): AgentInstance["state"] {
  if (instance.endedAt !== undefined && instance.endedAt <= now) return "ended"
  if (now < instance.readyAt) return "starting"
  return now >= instance.unreadyUntil ? "ready" : "unready"
}

function outcomeOf(job: JobSpec, nature: Nature): JobOutcome {
  if (job.kind === "build")
    return nature === "unbuildable"
      ? { kind: "failed", because: "exit code 2" }
      : { kind: "built", digest: `sha256:${job.commit.padEnd(64, "0")}`, bytes: 1 }
  return nature === "failing-test" ? { kind: "failed", because: "exit code 1" } : { kind: "passed" }
}
