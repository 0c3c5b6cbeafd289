import { setTimeout as sleep } from "node:timers/promises"
import type { Crew, PreparedTable } from "./crew.ts"
import { freePort } from "./free-port.ts"
import type { Marks } from "./health-watch.ts"
import type { InstanceSeen } from "./instance.ts"
import type { Limits } from "./limits.ts"
import type { WantedListener } from "./listeners.ts"
import type { Log } from "./log.ts"
import { formatAddress, parseAddress } from "./read-table.ts"
import type { TlsFiles } from "./secure-server.ts"
import { mergeRoutes, type RouteStats, type Stats } from "./stats.ts"
import type { RouteTable } from "./table.ts"
import { WorkerProcess } from "./worker-process.ts"

const looksEvery = 1_000
/** A worker that cannot live is not started again and again without a breath. */
const breath = 250

export type CrewParts = {
  readonly size: number
  readonly limits: Limits
  readonly tls: TlsFiles | undefined
  readonly boot: string
  readonly log: Log
}

/** Several workers that share the listening sockets. A swap is done when all of them route by it. */
export class CrewOfWorkers implements Crew {
  readonly #parts: CrewParts
  /** Everyone who may still have something under way. */
  readonly #alive = new Set<WorkerProcess>()
  readonly #serving = new Set<WorkerProcess>()
  #wanted: readonly WantedListener[] = []
  #routes: readonly RouteTable[] = []
  #marks: Marks = { failing: [], unproven: [] }
  #addresses: ReadonlyMap<string, string> = new Map()
  /** What workers had counted that are no more. */
  #before: Readonly<Record<string, RouteStats>> = {}
  #turn: Promise<unknown> = Promise.resolve()
  #ending = false
  readonly #timer: NodeJS.Timeout

  private constructor(parts: CrewParts) {
    this.#parts = parts
    // What a worker had counted until a moment ago survives its sudden end.
    this.#timer = setInterval(() => void this.stats().catch(() => undefined), looksEvery)
  }

  static async start(parts: CrewParts): Promise<CrewOfWorkers> {
    const crew = new CrewOfWorkers(parts)
    await Promise.all(Array.from({ length: parts.size }, () => crew.#hire()))
    return crew
  }

  get pids(): readonly number[] {
    return [...this.#alive].flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
  }

  get addresses(): ReadonlyMap<string, string> {
    return this.#addresses
  }

  /** Holds the turn until it is committed or abandoned: no new worker may begin by a table in between. */
  async prepare(asked: readonly WantedListener[]): Promise<PreparedTable> {
    const release = await this.#takeTurn()
    const workers = [...this.#serving]
    try {
      const wanted = await Promise.all(asked.map((one) => this.#withPort(one)))
      const told = await Promise.allSettled(workers.map((worker) => worker.ask({ verb: "prepare", wanted })))
      const refused = told.find((one) => one.status === "rejected")
      if (refused) {
        await Promise.all(workers.map((worker) => worker.ask({ verb: "abandon" }).catch(() => undefined)))
        throw refused.reason
      }
      const addresses = new Map(wanted.map(({ route, listen }) => [route, listen]))
      return {
        addresses,
        commit: async (routes) => {
          this.#wanted = wanted
          this.#routes = routes
          this.#addresses = addresses
          // Also who is about to end may still get a request on a connection that stays open for an answer.
          const others = [...this.#alive].filter((worker) => !workers.includes(worker))
          await Promise.all([
            ...workers.map((worker) => worker.ask({ verb: "commit", routes })),
            ...others.map((worker) => worker.ask({ verb: "apply", routes })),
          ]).finally(release)
        },
        abandon: async () => {
          await Promise.all(workers.map((worker) => worker.ask({ verb: "abandon" }))).finally(release)
        },
      }
    } catch (error) {
      release()
      throw error
    }
  }

  async apply(routes: readonly RouteTable[]): Promise<void> {
    const release = await this.#takeTurn()
    this.#routes = routes
    await Promise.all(this.#ask((worker) => worker.ask({ verb: "apply", routes }))).finally(release)
  }

  async inFlight(instance: string): Promise<number> {
    const all = await Promise.all(this.#ask<number>((worker) => worker.ask({ verb: "in-flight", instance })))
    return all.reduce<number>((sum, one) => sum + (one ?? 0), 0)
  }

  async weightlessFor(instance: string): Promise<number> {
    const all = await Promise.all(
      this.#ask<number>((worker) => worker.ask({ verb: "weightless-for", instance })),
    )
    return Math.max(0, ...all.map((one) => one ?? 0))
  }

  async hold(routes: readonly string[], forMs: number): Promise<void> {
    await Promise.all(this.#ask((worker) => worker.ask({ verb: "hold", routes, forMs })))
  }

  async requestsOn(instances: readonly string[]): Promise<number> {
    const all = await Promise.all(
      this.#ask<number>((worker) => worker.ask({ verb: "requests-on", instances })),
    )
    return all.reduce<number>((sum, one) => sum + (one ?? 0), 0)
  }

  async cut(instance: string): Promise<void> {
    await Promise.all(this.#ask((worker) => worker.ask({ verb: "cut", instance })))
  }

  async mark(marks: Marks): Promise<void> {
    this.#marks = marks
    await Promise.all(this.#ask((worker) => worker.ask({ verb: "mark", marks })))
  }

  async instances(): Promise<Readonly<Record<string, InstanceSeen>>> {
    const sum: Record<string, InstanceSeen> = {}
    const all = await Promise.all(
      this.#ask<Record<string, InstanceSeen>>((worker) => worker.ask({ verb: "instances" })),
    )
    for (const seen of all) {
      for (const [id, one] of Object.entries(seen ?? {})) {
        const known = sum[id]
        sum[id] = {
          inFlight: (known?.inFlight ?? 0) + one.inFlight,
          ejected: (known?.ejected ?? false) || one.ejected,
          failing: (known?.failing ?? false) || one.failing,
        }
      }
    }
    return sum
  }

  async stats(): Promise<Stats> {
    await Promise.all([...this.#alive].map((worker) => worker.count()))
    const live = [...this.#alive].map((worker) => worker.counted)
    return { boot: this.#parts.boot, at: Date.now(), routes: mergeRoutes([this.#before, ...live]) }
  }

  async replace(): Promise<number> {
    const old = [...this.#serving]
    for (const worker of old) {
      await this.#hire()
      this.#serving.delete(worker)
      void this.#retire(worker, true)
    }
    return old.length
  }

  async drain(): Promise<void> {
    this.#ending = true
    this.#serving.clear()
    await Promise.all([...this.#alive].map((worker) => this.#retire(worker, false)))
    clearInterval(this.#timer)
  }

  destroy(): void {
    this.#ending = true
    clearInterval(this.#timer)
    for (const worker of this.#alive) worker.kill()
  }

  #ask<T>(question: (worker: WorkerProcess) => Promise<unknown>): Promise<T | undefined>[] {
    return [...this.#alive].map((worker) => question(worker) as Promise<T | undefined>)
  }

  /** Starts a worker; it serves once it has heard everything that the others know. */
  async #hire(): Promise<void> {
    const { limits, tls, size } = this.#parts
    const worker = new WorkerProcess((ended) => this.#ended(ended))
    this.#alive.add(worker)
    await worker.ask({ verb: "begin", limits: shareOf(limits, size), tls })
    const release = await this.#takeTurn()
    try {
      await worker.ask({ verb: "mark", marks: this.#marks })
      await worker.ask({ verb: "join", wanted: this.#wanted, routes: this.#routes })
      if (!worker.isOver) this.#serving.add(worker)
    } finally {
      release()
    }
  }

  async #retire(worker: WorkerProcess, retiring: boolean): Promise<void> {
    worker.retiring = true
    // It may be asked twice, by a replacement and by the end of the router; its first answer counts.
    await worker.ask({ verb: "drain", retiring }).then(
      (last) => worker.take(last as Stats | undefined),
      () => undefined,
    )
    await worker.over
  }

  #ended(worker: WorkerProcess): void {
    this.#alive.delete(worker)
    const wasServing = this.#serving.delete(worker)
    const named = new Set(this.#routes.map(({ route }) => route))
    const kept = Object.entries(mergeRoutes([this.#before, worker.counted])).filter(([name]) =>
      named.has(name),
    )
    this.#before = Object.fromEntries(
      kept.map(([name, route]) => [name, withoutFlights(route, this.#routes)]),
    )
    if (worker.retiring || this.#ending) return
    this.#parts.log("error", "a worker ended by itself; another one takes its place", { pid: worker.pid })
    void this.#again(wasServing ? 0 : breath)
  }

  async #again(after: number): Promise<void> {
    await sleep(after)
    if (this.#ending) return
    await this.#hire().catch((error: unknown) => {
      this.#parts.log("error", "a worker did not begin", {
        because: error instanceof Error ? error.message : String(error),
      })
    })
  }

  /** A route that asks for any port must get the same one in every worker: it is chosen here. */
  async #withPort(want: WantedListener): Promise<WantedListener> {
    const parsed = parseAddress(want.listen)
    if (parsed?.port !== 0) return want
    const before = this.#wanted.find(({ route }) => route === want.route)
    // What speaks otherwise than before cannot share the port of before.
    const known = before?.plain === want.plain ? before?.listen : undefined
    const knownHost = known === undefined ? undefined : parseAddress(known)?.host
    if (known !== undefined && knownHost === parsed.host) return { ...want, listen: known }
    const port = await freePort(parsed.host, want.port)
    return { ...want, listen: formatAddress({ host: parsed.host, port }) }
  }

  async #takeTurn(): Promise<() => void> {
    const before = this.#turn
    let release = () => {}
    this.#turn = new Promise<void>((resolve) => {
      release = resolve
    })
    await before
    return release
  }
}

/** Limits of the whole router, as the share of one of its workers. */
const shareOf = (limits: Limits, size: number): Limits => ({
  ...limits,
  mostClients: Math.ceil(limits.mostClients / size),
  mostClientsPerAddress: Math.ceil(limits.mostClientsPerAddress / size),
  mostInFlight: Math.ceil(limits.mostInFlight / size),
  mostHeld: Math.ceil(limits.mostHeld / size),
  mostMirrored: Math.ceil(limits.mostMirrored / size),
})

/** What is gone has nothing under way, and of instances that no table names nobody asks any more. */
function withoutFlights(route: RouteStats, routes: readonly RouteTable[]): RouteStats {
  const named = new Set(
    routes.flatMap((one) => one.pools.flatMap((pool) => pool.instances.map(({ id }) => id))),
  )
  const pools = Object.entries(route.pools).map(([pool, instances]) => [
    pool,
    Object.fromEntries(
      Object.entries(instances)
        .filter(([id]) => named.has(id))
        .map(([id, counters]) => [id, { ...counters, inFlight: 0 }]),
    ),
  ])
  return { ...route, pools: Object.fromEntries(pools) }
}
