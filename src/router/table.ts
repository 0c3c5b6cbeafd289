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

export type MirrorTable = {
  /** The route that gets the copies. */
  readonly to: string
  /** Share of the read-only requests that is copied, 0 to 1. */
  readonly sample: number
  readonly timeoutMs: number
}

/** One address and how its requests are split over pools. A route without pools answers 503. */
export type RouteTable = {
  readonly route: string
  /** `host:port`; with port 0 the router chooses one and keeps it, over restarts too. */
  readonly listen: string
  /** Shuffles users anew for each rollout. */
  readonly salt: string
  readonly sticky: Sticky
  readonly pools: readonly PoolTable[]
  /** The pool that takes over when the chosen one has nobody usable; never the other way round. */
  readonly stable: string | null
  readonly mirror?: MirrorTable
  /** Whether answers name their pool in `x-immunity-pool`. */
  readonly expose?: boolean
}

/** Who writes, and which write of theirs; compared epoch first. */
export type Fence = { readonly app: string; readonly epoch: number; readonly generation: number }

export type TableOrder = Fence & { readonly routes: readonly RouteTable[] }

/** The weight of an instance over all these routes: above zero when any of them may send it users. */
export function weightOf(instance: string, routes: Iterable<RouteTable>): number {
  let weight = 0
  for (const route of routes)
    for (const pool of route.pools)
      if (pool.weight > weight && pool.instances.some((one) => one.id === instance)) weight = pool.weight
  return weight
}
