import type { RouteSpec } from "../src/core/pipeline/effects.ts"
import type { Counters, RouterCounters } from "../src/ports/counters.ts"
import type { Nature } from "./scenario.ts"

type Count = { requests: number; bad: number }

/** What stands behind an instance: what it is like, and whether it answers at all. */
export type Behind = (instance: string) => { readonly nature: Nature; readonly answers: boolean } | undefined

/** Requests as a flow: between two moments each instance gets its share, and fails by its nature. */
export class Traffic {
  /** Requests per millisecond of a region's route. */
  rate = 0.3
  /** What every instance depends on is broken. */
  sick = false
  /** How many requests each instance ever answered, whatever the counters say. */
  readonly truth = new Map<string, Count>()
  readonly #behind: Behind
  #counts = new Map<string, Count>()
  readonly #firstUsers = new Map<string, number>()
  #routes: readonly RouteSpec[] = []
  #at = 0
  #boot = 1
  #shown: RouterCounters | undefined

  constructor(behind: Behind) {
    this.#behind = behind
  }

  /** The flow follows another table from now on. */
  follow(routes: readonly RouteSpec[], now: number): void {
    this.advance(now)
    this.#routes = routes
    for (const route of routes) {
      for (const pool of route.pools) {
        const key = `${route.route}|${pool.pool}`
        if (pool.weight > 0 && !this.#firstUsers.has(key)) this.#firstUsers.set(key, now)
      }
    }
  }

  restart(now: number): void {
    this.advance(now)
    this.#counts = new Map()
    this.#boot++
  }

  advance(now: number): void {
    const passed = now - this.#at
    this.#at = now
    if (passed <= 0) return
    for (const route of this.#routes) if (!route.route.endsWith("/preview")) this.#serve(route, passed, now)
  }

  #serve(route: RouteSpec, passed: number, now: number): void {
    const sent = this.rate * passed
    for (const pool of route.pools) {
      if (pool.weight <= 0) continue
      const alive = pool.instances.filter(({ id }) => this.#behind(id)?.answers)
      const takers = alive.length > 0 ? alive : pool.instances
      for (const { id } of takers) {
        const share = (sent * pool.weight) / 100 / takers.length
        const nature = this.#behind(id)?.nature
        const first = this.#firstUsers.get(`${route.route}|${pool.pool}`) ?? now
        const fails = alive.length === 0 ? 1 : this.sick ? 0.33 : failing(nature, pool.weight, now - first)
        this.#add(this.#counts, `${route.route}|${pool.pool}|${id}`, share, share * fails)
        this.#add(this.truth, id, share, share * fails)
      }
    }
    const to = route.mirror && this.#routes.find((known) => known.route === route.mirror?.to)
    if (!route.mirror || !to) return
    const copied = sent * route.mirror.sample
    this.#add(this.#counts, `${route.route}|mirror|primary`, copied, 0)
    for (const { id } of to.pools[0]?.instances ?? []) {
      const share = copied / (to.pools[0]?.instances.length ?? 1)
      const fails = failing(this.#behind(id)?.nature, 0, 0)
      this.#add(this.#counts, `${route.route}|mirror|candidate`, share, share * fails)
      this.#add(this.truth, id, share, share * fails)
    }
  }

  #add(counts: Map<string, Count>, key: string, requests: number, bad: number): void {
    const known = counts.get(key)
    if (known) {
      known.requests += requests
      known.bad += bad
    } else counts.set(key, { requests, bad })
  }

  /** What the router says that it counted. */
  counters(now: number, lie: "none" | "frozen" | "reset" | "zero" | "nan"): RouterCounters {
    this.advance(now)
    if (lie === "reset") this.#boot++
    if (lie === "frozen" && this.#shown) return this.#shown
    const read = (key: string): Counters => {
      const count = this.#counts.get(key) ?? { requests: 0, bad: 0 }
      if (lie === "zero") return { requests: 0, bad: 0, latency: [] }
      if (lie === "nan") return { requests: Number.NaN, bad: Number.NaN, latency: [] }
      return { requests: Math.floor(count.requests), bad: Math.floor(count.bad), latency: [] }
    }
    const routes = Object.fromEntries(
      this.#routes.map((route) => [
        route.route,
        {
          pools: Object.fromEntries(
            route.pools.map((pool) => [
              pool.pool,
              Object.fromEntries(
                pool.instances.map(({ id }) => [id, read(`${route.route}|${pool.pool}|${id}`)]),
              ),
            ]),
          ),
          mirror: route.mirror && {
            to: route.mirror.to,
            sent: 0,
            dropped: 0,
            primary: read(`${route.route}|mirror|primary`),
            candidate: read(`${route.route}|mirror|candidate`),
          },
        },
      ]),
    )
    this.#shown = { boot: `b${this.#boot}`, at: now, routes }
    return this.#shown
  }
}

function failing(nature: Nature | undefined, weight: number, since: number): number {
  switch (nature) {
    case undefined:
      return 1
    case "errors":
      return 0.33
    case "bad-under-load":
      return weight >= 50 ? 0.33 : 0
    case "bad-later":
      return since >= 15_000 ? 0.33 : 0
    default:
      return 0
  }
}
