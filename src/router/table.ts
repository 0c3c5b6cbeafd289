import type { SelectionName } from "./selections.ts"

/** How users are kept on one side while a share is shifted. */
export type Sticky =
  | { readonly by: "none" }
  | { readonly by: "cookie"; readonly name: string }
  | { readonly by: "header"; readonly name: string }
  | { readonly by: "address" }

export type InstanceTable = {
  readonly id: string
  /** `host:port`, where it answers. */
  readonly address: string
}

export type PoolTable = {
  readonly pool: string
  /** Percent; the weights of a route with pools sum to 100. */
  readonly weight: number
  readonly instances: readonly InstanceTable[]
}

/** How instances are asked whether they are well. */
export type HealthTable = {
  readonly path: string
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Good answers in a row that bring an instance back. The first one ever lets it in. */
  readonly rise: number
  /** Bad ones in a row that take it out. */
  readonly fall: number
}

export type MirrorTable = {
  /** The route that gets the copies. */
  readonly to: string
  /** Share of the read-only requests that is copied, 0 to 1. */
  readonly sample: number
  readonly timeoutMs: number
  /** Paths that are never asked for twice: `/logout`, `/once/*`. A star is any text. */
  readonly deny?: readonly string[]
  /** Header fields that a copy carries besides the harmless ones. */
  readonly headers?: readonly string[]
  /** Whether a sample of what is copied is told with the counts, for whoever compares answers. */
  readonly tell?: boolean
}

/** One address and how its requests are split over pools. A route without pools answers 503. */
export type RouteTable = {
  readonly route: string
  /** `host:port`; with port 0 the router chooses one and keeps it, over restarts too. */
  readonly listen: string
  /** Speaks plain HTTP though the router has a certificate: nobody comes in from outside. */
  readonly plain?: boolean
  /** Shuffles users anew for each rollout. */
  readonly salt: string
  readonly sticky: Sticky
  /** How a user's side is chosen; `hash` when absent. */
  readonly selection?: SelectionName
  readonly pools: readonly PoolTable[]
  /** The pool that takes over when the chosen one has nobody usable; never the other way round. */
  readonly stable: string | null
  readonly mirror?: MirrorTable
  /** Only instances that pass are asked; without it all are. */
  readonly health?: HealthTable
  /** Users who are in a pool whatever the weights are: keys of the sticky kind, such as cookie values. */
  readonly always?: readonly Always[]
  /** New requests of this route wait for its swaps, at most so long; see `TableOrder`, whose word counts where this is absent. */
  readonly pauseMs?: number
  /** Whether answers name their pool in `x-immunity-pool`. */
  readonly expose?: boolean
}

export type Always = { readonly pool: string; readonly keys: readonly string[] }

/** Who writes, and which write of theirs; compared epoch first. */
export type Fence = { readonly app: string; readonly epoch: number; readonly generation: number }

export type TableOrder = Fence & {
  readonly routes: readonly RouteTable[]
  /**
   * New requests wait, at most so long, until those under way on instances that lose all weight have ended:
   * no two releases answer at the same time. Without it they overlap, and nobody waits.
   */
  readonly pauseMs?: number
}

/** With all weight on the stable pool, where it has anybody. */
export function allToStable(route: RouteTable): RouteTable {
  const stable = route.pools.find((pool) => pool.pool === route.stable)
  if (!stable || stable.instances.length === 0) return route
  const { always: _, ...rest } = route
  return { ...rest, pools: route.pools.map((pool) => ({ ...pool, weight: pool === stable ? 100 : 0 })) }
}

/** Of a pool without a share that some users are in all the same, in percent. */
const leastWeight = 0.001

/** The weight of an instance over all these routes: above zero when any of them may send it users. */
export function weightOf(instance: string, routes: Iterable<RouteTable>): number {
  let weight = 0
  for (const route of routes)
    for (const pool of route.pools) {
      const least = route.always?.some((one) => one.pool === pool.pool && one.keys.length > 0)
        ? leastWeight
        : 0
      const own = Math.max(pool.weight, least)
      if (own > weight && pool.instances.some((one) => one.id === instance)) weight = own
    }
  return weight
}
