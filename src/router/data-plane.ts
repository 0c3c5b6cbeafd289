import { randomBytes, randomUUID } from "node:crypto"
import type { Socket } from "node:net"
import { performance } from "node:perf_hooks"
import { ClientConnection, type Door } from "./client-connection.ts"
import { RouteCounters } from "./counters.ts"
import { Crowd } from "./crowd.ts"
import type { Marks } from "./health-watch.ts"
import { Instance, type InstanceSeen, type Mark } from "./instance.ts"
import type { Limits } from "./limits.ts"
import { isCopyable, sendCopy } from "./mirror.ts"
import { mayCopy, Recent, strippedFor } from "./mirror-choice.ts"
import { MirrorCounters } from "./mirror-counters.ts"
import { writeOwnAnswer } from "./own-answer.ts"
import { OwnTime } from "./own-time.ts"
import { Route } from "./route.ts"
import { evenPoints } from "./selection.ts"
import type { Stats } from "./stats.ts"
import { type RouteTable, weightOf } from "./table.ts"
import type { Ticking, Traffic } from "./traffic.ts"

const countersKept = 60_000

type Mirroring = {
  readonly counters: MirrorCounters
  readonly nextPoint: () => number
  readonly recent: Recent
}

/** Everything that requests go through. It is told tables and asked for counts; it decides nothing else. */
export class DataPlane {
  readonly #limits: Limits
  readonly #routes = new Map<string, Route>()
  readonly #instances = new Map<string, Instance>()
  /** Since when an instance has had no weight. */
  readonly #idleSince = new Map<string, number>()
  readonly #counters = new Map<string, RouteCounters>()
  readonly #mirrors = new Map<string, Mirroring>()
  readonly #clients = new Set<ClientConnection>()
  readonly #underWay = new Crowd<Ticking>()
  readonly #traffic: Traffic
  readonly #timer: NodeJS.Timeout
  readonly #boot = randomUUID()
  readonly #perAddress = new Map<string, number>()
  #marks: ReadonlyMap<string, Mark> = new Map()
  #silent: ReadonlySet<string> = new Set()
  /** How long resting clients may still send a request; undefined while it is not about to end. */
  #goodbye: number | undefined
  #isOver = false
  readonly #time: OwnTime

  constructor(limits: Limits) {
    this.#limits = limits
    this.#time = new OwnTime(limits.tick)
    let requests = 0
    const prefix = randomBytes(6).toString("hex")
    this.#traffic = {
      limits,
      now: () => performance.now(),
      coarse: () => this.#time.ticked,
      lived: () => this.#time.lived,
      after: (ms) => this.#time.lived + limits.tick + ms,
      underWay: this.#underWay,
      replays: { active: 0 },
      requestId: () => {
        requests += 1
        return `${prefix}-${requests.toString(36)}`
      },
      userId: () => randomUUID(),
      copy: (route, head, origin) => {
        const { mirror } = route.table
        if (!mirror || !isCopyable(head) || !mayCopy(mirror, head.target)) return undefined
        const { counters, nextPoint, recent } = this.#mirroring(route.name, mirror.to)
        if (nextPoint() >= mirror.sample) return undefined
        const copy = strippedFor(mirror, head)
        if (mirror.tell) recent.see(copy, head.host ?? origin.listener)
        return sendCopy(this.#traffic, this.#routes.get(mirror.to), counters, mirror.timeoutMs, copy, origin)
      },
    }
    this.#timer = setInterval(() => this.#tick(), limits.tick)
  }

  routeOf(name: string): Route | undefined {
    return this.#routes.get(name)
  }

  /** From the next request on traffic follows these routes and no others. Requests under way finish where they are. */
  apply(tables: readonly RouteTable[]): void {
    const now = this.#traffic.after(0)
    const wanted = new Map(
      tables.flatMap((table) => table.pools.flatMap((pool) => pool.instances)).map((one) => [one.id, one]),
    )
    for (const { id, address } of wanted.values()) {
      const known = this.#instances.get(id)
      if (known?.address === address) {
        known.reopen()
        continue
      }
      known?.close()
      const fresh = new Instance(id, address, this.#limits)
      fresh.mark = this.#marks.get(id)
      this.#instances.set(id, fresh)
    }
    for (const [id, instance] of this.#instances) {
      if (weightOf(id, tables) > 0) this.#idleSince.delete(id)
      else if (!this.#idleSince.has(id)) this.#idleSince.set(id, now)
      if (!wanted.has(id)) instance.close()
    }
    const named = new Set(tables.map((table) => table.route))
    for (const [name, route] of this.#routes) {
      if (named.has(name)) continue
      this.#routes.delete(name)
      route.apply({ ...route.table, pools: [] }, (id) => this.#instance(id))
      route.letGo()
    }
    for (const table of tables) this.#route(table).apply(table, (id) => this.#instance(id))
    for (const route of this.#routes.values()) route.letGo()
    this.#forgetInstances(wanted)
  }

  /** What is known of instances from asking them; all others are well. */
  mark({ failing, unproven, silent = [] }: Marks): void {
    const before = this.#silent
    this.#silent = new Set(silent)
    this.#marks = new Map([
      ...failing.map((id) => [id, "failing"] as const),
      ...unproven.map((id) => [id, "unproven"] as const),
    ])
    for (const instance of this.#instances.values()) instance.mark = this.#marks.get(instance.id)
    for (const id of this.#silent) if (!before.has(id)) this.#instances.get(id)?.fellSilent()
  }

  accept(socket: Socket, door: Door): void {
    if (this.#isOver) {
      socket.destroy()
      return
    }
    const from = socket.remoteAddress ?? ""
    const ofAddress = this.#perAddress.get(from) ?? 0
    if (this.#clients.size >= this.#limits.mostClients || ofAddress >= this.#limits.mostClientsPerAddress) {
      socket.on("error", () => undefined)
      const message = "there are too many connections"
      socket.write(writeOwnAnswer({ status: 503, reason: "too-many-clients", message }, true, false))
      socket.destroySoon()
      return
    }
    const client = new ClientConnection(socket, this.#traffic, door, () => {
      this.#clients.delete(client)
      const left = (this.#perAddress.get(from) ?? 1) - 1
      if (left > 0) this.#perAddress.set(from, left)
      else this.#perAddress.delete(from)
    })
    this.#perAddress.set(from, ofAddress + 1)
    this.#clients.add(client)
    if (this.#goodbye !== undefined) client.close(this.#goodbye)
  }

  /** Clients whose door has closed are let out after the answer that is under way. */
  closeOrphans(): void {
    for (const client of this.#clients) if (client.mustClose) client.close(this.#limits.goodbye)
  }

  inFlight(instance: string): number {
    return this.#instances.get(instance)?.inFlight ?? 0
  }

  /** New requests of these routes wait until the next table is applied, at most so many milliseconds. */
  hold(routes: readonly string[], forMs: number): void {
    const until = this.#traffic.after(forMs)
    for (const name of routes) this.#routes.get(name)?.hold(until)
  }

  /** Requests under way on any of these; without tunnels and event streams, which may have no end. */
  requestsOn(instances: readonly string[]): number {
    const kinds = instances.flatMap((id) => [...(this.#instances.get(id)?.underWay ?? [])])
    return kinds.filter(({ kind }) => kind === "request").length
  }

  /** Milliseconds since this instance lost its last weight; 0 while it has some or was never seen. */
  weightlessFor(instance: string): number {
    const since = this.#idleSince.get(instance)
    return since === undefined ? 0 : Math.max(0, this.#time.lived - since)
  }

  /** Ends what is still under way on an instance. */
  cut(instance: string): void {
    for (const one of this.#instances.get(instance)?.underWay ?? [])
      one.cut("this copy of the application is being taken out of service")
  }

  /** What is known of each instance now. */
  instances(): Readonly<Record<string, InstanceSeen>> {
    const now = this.#time.ticked
    return Object.fromEntries(
      [...this.#instances].map(([id, one]) => [
        id,
        // Silence may be the network's, and says nothing of what runs there.
        {
          inFlight: one.inFlight,
          ejected: one.isEjected(now),
          failing: one.mark === "failing" && !this.#silent.has(id),
        },
      ]),
    )
  }

  stats(): Stats {
    const routes = [...this.#counters].map(([name, counters]) => {
      const mirroring = this.#mirrors.get(name)
      const mirror = mirroring && { ...mirroring.counters.toJSON(), recent: mirroring.recent.read() }
      return [name, { ...counters.toJSON(), ...(mirror ? { mirror } : {}) }] as const
    })
    return { boot: this.#boot, at: Date.now(), routes: Object.fromEntries(routes) }
  }

  /** Answers what is under way, then ends; after the limit it ends what is left. `retiring`: others serve already. */
  async drain(retiring: boolean): Promise<void> {
    const goodbye = retiring ? this.#limits.retireIdle : this.#limits.goodbye
    this.#goodbye = goodbye
    for (const client of this.#clients) client.close(goodbye)
    const deadline = this.#traffic.after(retiring ? this.#limits.retire : this.#limits.drain)
    while (this.#clients.size + this.#underWay.size > 0 && this.#time.lived < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20))
    this.destroy()
  }

  /** Ends everything at once. */
  destroy(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    for (const one of this.#underWay) one.cut("the router is ending")
    for (const client of [...this.#clients]) client.socket.destroy()
    for (const instance of this.#instances.values()) instance.close()
  }

  #route(table: RouteTable): Route {
    let route = this.#routes.get(table.route)
    if (!route) {
      let counters = this.#counters.get(table.route)
      if (!counters) {
        counters = new RouteCounters()
        this.#counters.set(table.route, counters)
      }
      route = new Route(table, counters, this.#limits, Math.random)
      this.#routes.set(table.route, route)
    }
    return route
  }

  #instance(id: string): Instance {
    const instance = this.#instances.get(id)
    if (!instance) throw new Error(`instance ${id} is in a pool and in no table`)
    return instance
  }

  #mirroring(route: string, to: string): Mirroring {
    let mirroring = this.#mirrors.get(route)
    if (mirroring?.counters.to !== to) {
      mirroring = {
        counters: new MirrorCounters(to),
        nextPoint: evenPoints(Math.random()),
        recent: new Recent(),
      }
      this.#mirrors.set(route, mirroring)
    }
    return mirroring
  }

  #forgetInstances(wanted: ReadonlyMap<string, unknown>): void {
    for (const [id, instance] of this.#instances) {
      if (wanted.has(id) || instance.inFlight > 0) continue
      this.#instances.delete(id)
      this.#idleSince.delete(id)
    }
  }

  /** Each kind of answer has its own time to finish on an instance that has no weight any more. */
  #cutOverdue(now: number): void {
    const { drainTunnel, drainStream, drainRequest } = this.#limits
    const most = { tunnel: drainTunnel, stream: drainStream, request: drainRequest, copy: drainRequest }
    for (const [id, since] of this.#idleSince)
      for (const one of this.#instances.get(id)?.underWay ?? [])
        if (now - since > most[one.kind]) one.cut("its time to finish on a draining instance is over")
  }

  #tick(): void {
    const now = this.#time.tick(performance.now())
    for (const one of this.#underWay) one.tick(now)
    for (const client of this.#clients) client.tick(now)
    this.#cutOverdue(now)
    const kept = new Set<string>()
    for (const { table } of this.#routes.values())
      for (const pool of table.pools)
        for (const { id } of pool.instances) kept.add(`${table.route} ${pool.pool} ${id}`)
    for (const instance of this.#instances.values()) {
      // By the clock: its server may have closed it while this process stood still.
      instance.users.prune(this.#time.ticked, this.#limits.upstreamIdle)
      instance.copies.prune(this.#time.ticked, this.#limits.upstreamIdle)
    }
    for (const [name, counters] of this.#counters) {
      const isKept = (pool: string, id: string) => kept.has(`${name} ${pool} ${id}`)
      if (counters.prune(isKept, now, countersKept) && !this.#routes.has(name)) {
        this.#counters.delete(name)
        this.#mirrors.delete(name)
      }
    }
  }
}
