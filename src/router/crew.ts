import type { DataPlane } from "./data-plane.ts"
import type { Marks } from "./health-watch.ts"
import type { InstanceSeen } from "./instance.ts"
import type { Listeners, WantedListener } from "./listeners.ts"
import type { Stats } from "./stats.ts"
import type { RouteTable } from "./table.ts"

/** Listeners that are open for a table which is not applied yet: either all of it becomes true or none. */
export type PreparedTable = {
  /** Where each route listens, once this is committed. */
  readonly addresses: ReadonlyMap<string, string>
  /** Resolves when no new request goes by the table before. */
  readonly commit: (routes: readonly RouteTable[]) => Promise<void>
  readonly abandon: () => Promise<void>
}

/** Those who carry the traffic: this process itself, or workers of it. */
export interface Crew {
  /** Processes that carry the traffic, those who are about to end among them; none when it is this one. */
  readonly pids: readonly number[]
  /** Where each route listens now. */
  readonly addresses: ReadonlyMap<string, string>
  /** Opens what a table needs. Throws a Refusal that names an address which somebody else has. */
  prepare(wanted: readonly WantedListener[]): Promise<PreparedTable>
  /** New routes on the listeners that are open. Resolves when everybody routes by them. */
  apply(routes: readonly RouteTable[]): Promise<void>
  /** Of everybody, also of those who are about to end. */
  inFlight(instance: string): Promise<number>
  /** Milliseconds since an instance lost its last weight. */
  weightlessFor(instance: string): Promise<number>
  /** New requests of these routes wait until the next table is applied, at most so many milliseconds. */
  hold(routes: readonly string[], forMs: number): Promise<void>
  /** Requests under way on any of these; without tunnels and event streams, which may have no end. */
  requestsOn(instances: readonly string[]): Promise<number>
  /** Ends what is still under way on an instance. */
  cut(instance: string): Promise<void>
  /** What is known of instances from asking them; all others are well. */
  mark(marks: Marks): Promise<void>
  instances(): Promise<Readonly<Record<string, InstanceSeen>>>
  stats(): Promise<Stats>
  /** Puts a fresh worker in the place of each, one after the other; who works in one process has none. */
  replace(): Promise<number>
  /** Takes no new clients and answers what is under way, up to the limit. */
  drain(): Promise<void>
  /** Ends at once. */
  destroy(): void
}

/** Everything in this process. */
export class Alone implements Crew {
  readonly pids = []
  readonly #plane: DataPlane
  readonly #listeners: Listeners

  constructor(plane: DataPlane, listeners: Listeners) {
    this.#plane = plane
    this.#listeners = listeners
  }

  get addresses(): ReadonlyMap<string, string> {
    return this.#listeners.addresses
  }

  async prepare(wanted: readonly WantedListener[]): Promise<PreparedTable> {
    const prepared = await this.#listeners.prepare(wanted)
    return {
      addresses: prepared.addresses,
      commit: async (routes) => {
        this.#plane.apply(routes)
        prepared.commit()
      },
      abandon: async () => prepared.abandon(),
    }
  }

  async apply(routes: readonly RouteTable[]): Promise<void> {
    this.#plane.apply(routes)
  }

  async inFlight(instance: string): Promise<number> {
    return this.#plane.inFlight(instance)
  }

  async weightlessFor(instance: string): Promise<number> {
    return this.#plane.weightlessFor(instance)
  }

  async hold(routes: readonly string[], forMs: number): Promise<void> {
    this.#plane.hold(routes, forMs)
  }

  async requestsOn(instances: readonly string[]): Promise<number> {
    return this.#plane.requestsOn(instances)
  }

  async cut(instance: string): Promise<void> {
    this.#plane.cut(instance)
  }

  async mark(marks: Marks): Promise<void> {
    this.#plane.mark(marks)
  }

  async instances(): Promise<Readonly<Record<string, InstanceSeen>>> {
    return this.#plane.instances()
  }

  async stats(): Promise<Stats> {
    return this.#plane.stats()
  }

  async replace(): Promise<number> {
    return 0
  }

  async drain(retiring = false): Promise<void> {
    this.#listeners.close()
    await this.#plane.drain(retiring)
  }

  destroy(): void {
    this.#listeners.close()
    this.#plane.destroy()
  }
}
