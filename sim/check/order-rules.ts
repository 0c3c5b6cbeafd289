import type { InstanceSpec, JobSpec, PoolSpec, RouteSpec } from "../../src/core/pipeline/effects.ts"
import { placesOf } from "../../src/core/pipeline/places.ts"
import type { Observed } from "../../src/ports/agent.ts"
import { type Lease, presenceOf } from "../../src/ports/leases.ts"
import type { Fence } from "../../src/ports/router.ts"
import type { Cluster } from "../cluster.ts"
import type { Plane } from "../plane.ts"
import type { Checks } from "./checks.ts"
import { Knowledge } from "./knowledge.ts"
import { sameData } from "./same-data.ts"

const ttl = 8_000
/** A table that nobody changed is pushed no more often; a clock may be a tenth fast. */
const repeated = 8_500
/** So long an order may be under way between looking and sending. */
const tolerance = 1_000

/** What must be true of every order: when it is sent, and when it takes effect. */
export class OrderRules {
  readonly #cluster: Cluster
  readonly #checks: Checks
  readonly #known = new Map<string, Knowledge>()
  readonly #held = new Map<string, { readonly epoch: number; readonly asked: number }>()
  readonly #unknown = new Map<string, { readonly plane: Plane; readonly fence: Fence; readonly at: number }>()
  /** How much of a stream there was when its lease was taken. */
  readonly #takenAt = new Map<string, number>()
  readonly #tables = new Map<
    string,
    { readonly generation: number; readonly routes: unknown; readonly at: number }
  >()
  /** The last generation that was sent, by application and epoch. */
  readonly #generations = new Map<string, number>()
  #seenEpoch = 0
  #seenGeneration = 0
  #weight = 0
  #busy = false

  constructor(cluster: Cluster, checks: Checks) {
    this.#cluster = cluster
    this.#checks = checks
  }

  leased(plane: string, lease: Lease, asked: number): void {
    this.#held.set(`${plane} ${lease.key}`, { epoch: lease.epoch, asked })
  }

  /** From here on nobody else adds to it. */
  taken(lease: Lease): void {
    const app = lease.key.slice("app/".length)
    this.#takenAt.set(`${app} ${lease.epoch}`, this.#cluster.store.streams.get(app)?.length ?? 0)
  }

  /** A lease lasts as long as its owner's presence. */
  #askedAt(plane: string): number {
    return this.#held.get(`${plane} ${presenceOf(plane)}`)?.asked ?? Number.NEGATIVE_INFINITY
  }

  observed(plane: string, apps: readonly string[], observed: Observed): void {
    const knowledge = this.#known.get(plane) ?? new Knowledge()
    this.#known.set(plane, knowledge)
    knowledge.take(apps, observed, this.#cluster.timeline.now)
  }

  forget(plane: string): void {
    this.#known.delete(plane)
    for (const key of [...this.#held.keys()]) if (key.startsWith(`${plane} `)) this.#held.delete(key)
  }

  acknowledgedTable({ app, epoch, generation }: Fence, routes: unknown): void {
    const at = this.#cluster.timeline.now
    this.#tables.set(`${app} ${epoch}`, { generation, routes, at })
  }

  /** Nobody knows what became of a table: a newer one has to follow soon. */
  unknown(plane: Plane, fence: Fence): void {
    this.#unknown.set(`${plane.name} ${fence.app}`, { plane, fence, at: this.#cluster.timeline.now })
  }

  look(): void {
    const { cut, troubleAt, killSwitch, server, store, timeline } = this.#cluster
    for (const [key, { plane, fence, at }] of this.#unknown) {
      const lease = this.#held.get(`${plane.name} app/${fence.app}`)
      const fresh = lease?.epoch === fence.epoch && plane.mono() - this.#askedAt(plane.name) < ttl * 0.6
      const over = cut.size > 0 || !plane.up || killSwitch || !fresh || store.problem !== undefined
      if (over || plane.pausedUntil > timeline.now) this.#unknown.delete(key)
      else if (server.routerProblem === undefined && timeline.now - Math.max(at, troubleAt) > 7_500) {
        this.#unknown.delete(key)
        this.#checks.violated(
          "I5",
          `${plane.name} does not know what became of a table for ${fence.app}, and sends no other`,
        )
      }
    }
  }

  sent(plane: Plane, verb: string, fence: Fence, what: unknown): void {
    const say = (rule: string, text: string): void =>
      this.#checks.violated(rule, `${plane.name} sent ${verb} for ${fence.app}: ${text}`)
    if (verb === "routes") this.#unknown.delete(`${plane.name} ${fence.app}`)
    const held = this.#held.get(`${plane.name} app/${fence.app}`)
    if (held?.epoch !== fence.epoch) say("I20", `with epoch ${fence.epoch}, which it does not hold`)
    else if (plane.mono() - this.#askedAt(plane.name) > ttl * 0.6 + 1)
      say(
        "I20",
        `${Math.round(plane.mono() - this.#askedAt(plane.name))} ms after it last asked for its presence`,
      )
    const row = this.#cluster.store.leases.get(`app/${fence.app}`)
    if (row && row.owner !== plane.name && row.owner !== undefined) say("I21", `while ${row.owner} holds it`)
    if ((this.#cluster.server.epochs.get(fence.app) ?? 0) < fence.epoch)
      say("I19", "before the barrier: the server has not seen its epoch")
    const heard = plane.engine?.version(fence.app) ?? 0
    const stored = this.#takenAt.get(`${fence.app} ${fence.epoch}`) ?? 0
    if (heard < stored) say("I19", `having read ${heard} of the ${stored} events that others stored`)
    if (this.#cluster.killSwitch && this.#cluster.timeline.now - this.#checks.killedAt > tolerance)
      say("I6", `${this.#cluster.timeline.now - this.#checks.killedAt} ms after the kill switch was set`)
    this.#intended(verb, fence, what, say)
  }

  /** Nothing is done that the log does not say. */
  #intended(verb: string, fence: Fence, what: unknown, say: (rule: string, text: string) => void): void {
    const { log } = this.#checks
    const state = log.state(fence.app)
    const instanceOf = (id: string) =>
      state &&
      placesOf(state)
        .map((region) => region.instances[id])
        .find((known) => known !== undefined)
    switch (verb) {
      case "start": {
        const { id } = what as InstanceSpec
        if (log.requested.get(id) !== fence.app) say("I31", `${id} was never asked for`)
        return
      }
      case "release":
      case "stop": {
        const id = what as string
        if (log.requested.get(id) !== fence.app) return say("I25", `${id} is not ours`)
        const instance = instanceOf(id)
        if (instance && !instance.retired) say("I31", `${id} is wanted`)
        if (verb === "stop" && instance && !instance.released) say("I3", `${id} is not released`)
        return
      }
      case "run-job": {
        const job = what as JobSpec
        const preview = this.#cluster.server.tables[fence.app]?.routes.find(
          (route) => job.kind === "test" && route.route === job.route,
        )
        if (job.kind === "test" && !preview?.pools.length) say("I10", `${job.id} has nothing to test`)
        if (job.kind === "test" && !log.built.has(`${fence.app}/${job.release}`))
          say("I31", `${job.id} tests what was never built`)
        return
      }
      default:
    }
  }

  tableSent(sender: Plane, fence: Fence, routes: readonly RouteSpec[]): void {
    const { log } = this.#checks
    const plane = sender.name
    const believed = sender.engine?.state(fence.app)
    const term = `${fence.app} ${fence.epoch}`
    const sent = this.#generations.get(term) ?? 0
    const last = this.#tables.get(term)
    this.#generations.set(term, fence.generation)
    const { now } = this.#cluster.timeline
    const say = (rule: string, text: string): void =>
      this.#checks.violated(rule, `a table for ${fence.app}: ${text}`)
    if (fence.generation <= sent) say("I19", `generation ${fence.generation} after ${sent}`)
    const inForce = (this.#cluster.server.tables[fence.app]?.generation ?? 0) > 0
    const soon = last?.generation === sent && inForce && now - last.at < repeated
    if (soon && sameData(last.routes, routes))
      say("L5", `the same one again, ${now - last.at} ms after it was acknowledged`)
    for (const route of routes) {
      const sum = route.pools.reduce((total, { weight }) => total + weight, 0)
      const odd = route.pools.some(({ weight }) => !Number.isFinite(weight) || weight < 0)
      if (route.pools.length > 0 && (odd || Math.abs(sum - 100) > 0.01))
        say("I7", `${route.route} sums to ${sum}`)
      if (route.mirror && !route.mirror.to.endsWith("/preview"))
        say("I8", `${route.route} is copied to ${route.mirror.to}`)
      if (route.route.endsWith("/preview")) {
        if (route.listen !== "127.0.0.1:0") say("I8", `users may reach ${route.route} at ${route.listen}`)
        continue
      }
      const [, region = ""] = route.route.split("/")
      const itself = believed?.regions.find(({ name }) => name === region)
      const left = Object.values(itself?.instances ?? {}).find(
        ({ pool, state, address, retired }) =>
          pool === itself?.stable && state !== "ended" && state !== "starting" && address && !retired,
      )
      if (route.pools.length === 0 && left)
        say("I2", `${route.route} goes to nobody while ${left.id} still runs`)
      this.#serves(plane, fence.app, region, route, say)
      const stable = log.stable.get(`${fence.app}/${region}`)
      for (const pool of route.pools) {
        if (pool.weight <= 0) continue
        this.#named(plane, route, pool, say)
        const over = pool.instances.find(({ id }) => itself?.instances[id]?.state === "ended")
        if (over) say("I1", `${route.route} names ${over.id}, and its sender knows that it ended`)
        if (pool.instances.length === 0) say("I2", `${route.route} gives ${pool.weight} % to nobody`)
        const number = Number(pool.pool.slice(1))
        const past = log.past(fence.app, number)
        if (!past) {
          say("I10", `${pool.pool} was never queued`)
          continue
        }
        if (!past.started || !log.built.has(`${fence.app}/${past.release}`))
          say("I10", `${pool.pool} never started`)
        if (past.queued.gate && !past.approved) say("I10", `${pool.pool} has no approval`)
        const raisedAtAll = pool.weight > this.#routed(fence.app, route.route, pool.pool) + 0.01
        // The share of an earlier step may come back after a hold while the next step is tested; nobody of that one is named.
        const untested = Math.min(
          ...[...past.tests].flatMap(([job, passed]) => (passed ? [] : [stepOf(job)])),
        )
        const isNamed = pool.instances.some(({ id }) => (itself?.instances[id]?.step ?? untested) >= untested)
        if (
          raisedAtAll &&
          number !== stable &&
          untested < Number.POSITIVE_INFINITY &&
          (untested === 0 || isNamed)
        )
          say("I10", `${pool.pool} is raised while its tests have not passed`)
        const others = route.pools.some((other) => other.pool === `r${stable}` && other.instances.length > 0)
        const allowed = now - past.changedAt < tolerance ? Math.max(past.allowed, past.before) : past.allowed
        if (raisedAtAll && others && number !== stable && pool.weight > allowed + 0.01)
          say("I5", `${pool.pool} is raised to ${pool.weight} % where ${allowed} % are allowed`)
      }
    }
  }

  /** Whoever can serve serves: nobody is routed to nothing, and no pool carries more than its healthy share. */
  #serves(
    plane: string,
    app: string,
    region: string,
    route: RouteSpec,
    say: (rule: string, text: string) => void,
  ): void {
    const { server } = this.#cluster
    const { log } = this.#checks
    const stable = log.stable.get(`${app}/${region}`)
    if (route.pools.length === 0 && stable !== undefined) {
      const idle = [...server.instances.values()].find(
        (instance) =>
          instance.app === app &&
          instance.spec.region === region &&
          instance.spec.id.includes(`-r${stable}-`) &&
          instance.differences.length === 0 &&
          !server.released.has(instance.spec.id) &&
          !log.state(app)?.regions.some((known) => known.instances[instance.spec.id]?.retired) &&
          this.#knows(plane, instance.spec.id) === "ready",
      )
      if (idle) say("I2", `${route.route} goes to nobody while ${idle.spec.id} could serve`)
    }
    const size = this.#cluster.policies.get(app)?.regions.find(({ name }) => name === region)?.size ?? 1
    const others = route.pools.filter(({ instances }) => instances.length > 0).length > 1
    for (const { pool, weight, instances } of route.pools) {
      if (!others) continue
      const before = this.#routed(app, route.route, pool)
      if (pool === `r${stable}`) {
        if (weight === 100 && before < 100 && instances.length * 2 < size)
          say("I2", `${pool} gets everything back with ${instances.length} of ${size} instances`)
        continue
      }
      if (weight > before && weight > (instances.length / size) * 100 + 0.01)
        say("I2", `${pool} is raised to ${weight} % with ${instances.length} of ${size} instances`)
    }
  }

  arriving(verb: string, fence: Fence, what: unknown): void {
    const { server, timeline } = this.#cluster
    const table = server.tables[fence.app]
    this.#seenEpoch = Math.max(server.epochs.get(fence.app) ?? 0, table?.epoch ?? 0)
    this.#seenGeneration = table?.epoch === fence.epoch ? table.generation : 0
    if (verb !== "stop" && verb !== "release") return
    const id = what as string
    this.#weight = server.weightOn(id)
    const instance = server.instances.get(id)
    const alive =
      instance !== undefined &&
      !instance.stopped &&
      (instance.endedAt ?? Number.POSITIVE_INFINITY) > timeline.now
    this.#busy = alive && (server.weightOn(id) > 0 || instance.busyUntil > timeline.now)
  }

  arrived(verb: string, fence: Fence, what: unknown, answer: { readonly kind: string }): void {
    if (answer.kind === "refused" || answer.kind === "busy") return
    const { server } = this.#cluster
    const say = (rule: string, text: string): void =>
      this.#checks.violated(rule, `${verb} took effect: ${text}`)
    if (fence.epoch < this.#seenEpoch)
      say("I19", `with epoch ${fence.epoch} after ${this.#seenEpoch} was seen`)
    if (verb === "stop" && this.#busy) say("I3", `${what as string} ended under its users`)
    if (verb === "routes" && fence.generation < this.#seenGeneration)
      say("I19", `with generation ${fence.generation} after ${this.#seenGeneration}`)
    if (verb === "release" && this.#weight > 0)
      say("I3", `${what as string} was released while it has weight`)
    if (verb === "start") {
      const { id, region } = what as InstanceSpec
      const isNew = server.instances.get(id)?.startedAt === this.#cluster.timeline.now
      if (isNew && server.released.has(id)) say("I4", `${id} was released before`)
      this.#surge(fence.app, region, say)
    }
    if (verb !== "routes") return
    for (const route of what as readonly RouteSpec[]) {
      for (const { id } of route.pools.flatMap((pool) => pool.instances)) {
        const instance = server.instances.get(id)
        if (
          !instance ||
          (instance.stopped && !server.lost.has(id)) ||
          instance.readyAt > this.#cluster.timeline.now
        )
          say("I1", `${route.route} names ${id}, which is not ready`)
        if (server.released.has(id)) say("I4", `${route.route} names ${id}, which was released`)
      }
    }
  }

  /** Only what it knows to be ready; of an old pool with nobody ready those that still run. */
  #named(plane: string, route: RouteSpec, pool: PoolSpec, say: (rule: string, text: string) => void): void {
    const failing = (id: string): boolean => this.#knows(plane, id) === "unready"
    const { now } = this.#cluster.timeline
    const wellJustNow = ({ id }: { readonly id: string }): boolean =>
      this.#known.get(plane)?.knows(id, now) === "ready"
    const lastResort = pool.pool === route.stable && !pool.instances.some(wellJustNow)
    for (const { id } of pool.instances) {
      if (this.#knows(plane, id) === "ended") say("I1", `${route.route} names ${id}, which ended`)
      if (failing(id) && !lastResort) say("I1", `${route.route} names ${id}, whose probe fails`)
    }
  }

  /** What a control plane must act on: what it is told for longer than it takes to store it, while it can be stored. */
  #knows(plane: string, id: string): string | undefined {
    const { callTroubleAt, store, timeline } = this.#cluster
    if (store.problem !== undefined || timeline.now - callTroubleAt < 22_000) return undefined
    return this.#known.get(plane)?.knows(id, timeline.now - 1_000)
  }

  #surge(app: string, region: string, say: (rule: string, text: string) => void): void {
    const { server, timeline } = this.#cluster
    const size = this.#cluster.policies.get(app)?.regions.find(({ name }) => name === region)?.size ?? 1
    const alive = [...server.instances.values()].filter(
      (instance) =>
        instance.app === app &&
        instance.spec.region === region &&
        !instance.stopped &&
        (instance.endedAt ?? Number.POSITIVE_INFINITY) > timeline.now,
    ).length
    // New, old, kept, and those of each that are on their way out.
    if (alive > size * 4 + 2) say("I22", `${alive} instances live in ${region}, whose size is ${size}`)
  }

  #routed(app: string, route: string, pool: string): number {
    const table = this.#cluster.server.tables[app]?.routes.find((known) => known.route === route)
    return table?.pools.find((known) => known.pool === pool)?.weight ?? 0
  }
}

/** Of the test `app-test-rN-sSTEP-name`. */
const stepOf = (job: string): number => Number(/-s(\d+)-/.exec(job)?.[1] ?? 0)
