/** The routing table of one application, as it is pushed: whole, every time. */
export type RouteTable = {
  readonly route: string
  readonly listen: string
  readonly salt: string
  readonly sticky: { readonly by: string; readonly name?: string }
  readonly pools: readonly Pool[]
  readonly stable?: string | undefined
  readonly mirror?: { readonly to: string; readonly sample: number; readonly timeout: number } | undefined
}

export type Pool = { readonly pool: string; readonly weight: number; readonly instances: readonly Instance[] }
export type Instance = { readonly id: string; readonly address: string }

export type AppTable = {
  readonly epoch: number
  readonly generation: number
  readonly routes: readonly RouteTable[]
}

/** What the router must remember over its own death. */
export type State = {
  readonly apps: Readonly<Record<string, AppTable>>
  /** Ids that are refused for ever. */
  readonly released: readonly string[]
  /** Ports that were chosen for routes that asked for any. */
  readonly ports: Readonly<Record<string, number>>
}

export const emptyState: State = { apps: {}, released: [], ports: {} }

export const allRoutes = (state: State): readonly RouteTable[] =>
  Object.values(state.apps).flatMap((app) => app.routes)

/** What is wrong with a table, in a sentence; undefined when it may be applied. */
export function tableProblem(
  routes: readonly RouteTable[],
  released: ReadonlySet<string>,
): string | undefined {
  for (const route of routes) {
    if (!/^[\d.]+:\d{1,5}$/.test(route.listen))
      return `${route.route}: ${route.listen} is not an address such as 127.0.0.1:8103`
    const ids = route.pools.flatMap((pool) => pool.instances.map((instance) => instance.id))
    const twice = ids.find((id, i) => ids.indexOf(id) !== i)
    if (twice) return `${route.route}: ${twice} is there twice`
    const gone = ids.find((id) => released.has(id))
    if (gone) return `${route.route}: ${gone} was released and is never routed to again`
    if (route.pools.length === 0) continue
    if (route.pools.some((pool) => !Number.isFinite(pool.weight) || pool.weight < 0))
      return `${route.route}: a weight is negative or not a number`
    const sum = route.pools.reduce((total, pool) => total + pool.weight, 0)
    if (Math.abs(sum - 100) > 0.001) return `${route.route}: the weights sum to ${sum}, not to 100`
  }
  return undefined
}
