import type { Counters, RouteCounters } from "./counters.ts"
import type { Instance } from "./instance.ts"
import type { Limits } from "./limits.ts"
import { cutOrder, evenPoints, poolAt } from "./selection.ts"
import { type Selection, selections } from "./selections.ts"
import type { PoolTable, RouteTable } from "./table.ts"
import { usableOf } from "./usable.ts"

/** An instance in its place in one pool of one route. */
export type Member = { readonly pool: string; readonly instance: Instance; readonly counters: Counters }

type Pool = PoolTable & { readonly members: readonly Member[] }

/** A request that waits for a swap. */
export type Held = { go(): void }

export type Chosen =
  | { readonly kind: "member"; readonly member: Member }
  /** Nobody is left to ask. `full`: somebody is, but has too much to do. */
  | { readonly kind: "nobody"; readonly full: boolean }

/** A route as traffic meets it: the last applied table with what is alive behind it. */
export class Route {
  readonly name: string
  readonly counters: RouteCounters
  readonly #limits: Limits
  readonly #random: () => number
  readonly #nextPoint: () => number
  #table: RouteTable
  #ordered: readonly Pool[] = []
  #stable: Pool | undefined
  #always: ReadonlyMap<string, string> | undefined
  #selection: Selection = selections.hash
  #heldUntil = 0
  readonly #held = new Set<Held>()

  constructor(table: RouteTable, counters: RouteCounters, limits: Limits, random: () => number) {
    this.name = table.route
    this.counters = counters
    this.#table = table
    this.#limits = limits
    this.#random = random
    this.#nextPoint = evenPoints(random())
  }

  get table(): RouteTable {
    return this.#table
  }

  /** From the next request on. */
  apply(table: RouteTable, instanceOf: (id: string) => Instance): void {
    this.#table = table
    const pools = table.pools.map((pool): Pool => {
      const members = pool.instances.map(({ id }) => ({
        pool: pool.pool,
        instance: instanceOf(id),
        counters: this.counters.of(pool.pool, id),
      }))
      return { ...pool, members }
    })
    this.#always =
      table.always && new Map(table.always.flatMap(({ pool, keys }) => keys.map((key) => [key, pool])))
    this.#selection = selections[table.selection ?? "hash"]
    this.#ordered = cutOrder(pools, table.stable)
    this.#stable = pools.find((pool) => pool.pool === table.stable)
  }

  /** New requests wait from now on: until `letGo`, at the latest until this moment. */
  hold(until: number): void {
    this.#heldUntil = until
  }

  /** How long a new request has to wait at most, as a moment; undefined: it may go at once. */
  heldUntil(now: number): number | undefined {
    return now < this.#heldUntil ? this.#heldUntil : undefined
  }

  /** Returns false when too many wait already. */
  wait(request: Held): boolean {
    if (this.#held.size >= this.#limits.mostHeld) return false
    this.#held.add(request)
    return true
  }

  leaveQueue(request: Held): void {
    this.#held.delete(request)
  }

  letGo(): void {
    this.#heldUntil = 0
    const waiting = [...this.#held]
    this.#held.clear()
    for (const request of waiting) request.go()
  }

  /** The pool in which a user is whatever the weights are. */
  forcedPool(key: string): string | undefined {
    return this.#always?.get(key)
  }

  /** Where a user always is under the salt of the table. */
  pointOf(key: string): number {
    return this.#selection(this.#table.salt, key)
  }

  /** A point for a request whose user is not recognised. */
  nextPoint(): number {
    return this.#nextPoint()
  }

  /**
   * Who answers a request at this point of the weights. `tried` were asked before and could not be reached;
   * with `rescue` the stable pool is asked before the rest of the chosen one. Nobody of the stable pool's
   * share is ever sent elsewhere.
   */
  choose(
    point: number,
    tried: readonly Member[],
    rescue: boolean,
    now: number,
    forced?: string | undefined,
  ): Chosen {
    const pool =
      (forced === undefined ? undefined : this.#ordered.find((one) => one.pool === forced)) ??
      poolAt(this.#ordered, point)
    const order = rescue ? [this.#stable, pool] : [pool, this.#stable]
    let full = false
    for (const candidate of order) {
      if (!candidate) continue
      const isLast = candidate === this.#stable || this.#stable === undefined
      const chosen = this.#among(candidate, tried, isLast, now)
      if (chosen === "full") full = true
      else if (chosen) {
        if (pool && candidate !== pool && tried.length === 0) this.counters.fellBack(pool.pool)
        return { kind: "member", member: chosen }
      }
    }
    // Nobody of the stable pool either: its own users may as well ask a canary that looks ill.
    const rest = !full && pool && pool !== this.#stable ? this.#among(pool, tried, true, now) : undefined
    if (rest && rest !== "full") return { kind: "member", member: rest }
    return { kind: "nobody", full }
  }

  /** The usable member with less to do, of two taken by chance. */
  #among(pool: Pool, tried: readonly Member[], isLast: boolean, now: number): Member | "full" | undefined {
    const left =
      tried.length === 0
        ? pool.members
        : pool.members.filter((member) => !tried.some((one) => one.instance === member.instance))
    const usable = usableOf(pool.members, left, isLast, now)
    if (usable.length === 0) return undefined
    const at = Math.floor(this.#random() * usable.length)
    const other = (at + 1 + Math.floor(this.#random() * (usable.length - 1))) % usable.length
    const [first, second] = [usable[at], usable[other]]
    if (!first || !second) throw new Error("a choice among nobody")
    const less = first.instance.inFlight <= second.instance.inFlight ? first : second
    if (less.instance.inFlight < this.#limits.mostInFlight) return less
    return usable.find((member) => member.instance.inFlight < this.#limits.mostInFlight) ?? "full"
  }
}
