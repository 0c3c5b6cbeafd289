import type { StickyPolicy } from "../../../core/model/policy.ts"
import type { PoolSpec, RouteHealth, RouteSpec } from "../../../core/pipeline/effects.ts"
import type { Applied, Fence } from "../../../ports/router.ts"

/** Where users enter for one route: a frontend, and as many empty backends as it may have pools. */
export type Door = {
  /** Never reused, so a line of the log always means the same door. */
  readonly number: number
  /** As it was asked for; the port may be 0. */
  readonly listen: string
  /** Where it really listens. */
  readonly address: string
  readonly sticky: StickyPolicy
  /** Without TLS, whatever the others have. */
  readonly plain?: boolean | undefined
  /** How HAProxy asks its instances; without it they must only take a connection. */
  readonly health?: RouteHealth | undefined
  /** Who may be let into a pool before others; which pool that is, the row says. */
  readonly first?: readonly string[] | undefined
  /** The pool in each backend; null: free. HAProxy cannot add backends while it runs, so they wait here. */
  readonly slots: readonly (string | null)[]
}

/** An instance as a server of one backend. A new address is a new placement. */
export type Placement = {
  /** Its name and explicit id in HAProxy; never reused. */
  readonly number: number
  readonly route: string
  readonly door: number
  readonly slot: number
  readonly pool: string
  readonly id: string
  readonly address: string
  /** In no table any more: it drains and is deleted once nobody is on it. */
  readonly leaving: boolean
  /** It answered a probe; until then it takes no users, over restarts too. */
  readonly ready: boolean
}

type AppEntry = {
  readonly epoch: number
  /** 0 after a fence: the new epoch has sent no table yet. */
  readonly generation: number
  /** As it was sent; releases take instances out of `routes`, not out of this. */
  readonly sent: string
  readonly routes: readonly RouteSpec[]
}

/** Everything that HAProxy itself does not remember. */
export type Book = {
  readonly apps: Readonly<Record<string, AppEntry>>
  /** Ids that are refused for ever, oldest first. */
  readonly released: readonly string[]
  readonly doors: Readonly<Record<string, Door>>
  /** Doors of routes that are gone, at ports that nobody asked for: the next such route needs no reload. */
  readonly spares: readonly Door[]
  readonly placements: readonly Placement[]
  readonly next: number
  /** Rises when frontends or the number of backends change: only that needs a reload. */
  readonly structure: number
  /** What the ids of copies begin with, so that no user's request passes for one. */
  readonly secret: string
}

export const emptyBook: Book = {
  apps: {},
  released: [],
  doors: {},
  spares: [],
  placements: [],
  next: 1,
  structure: 1,
  secret: "",
}

const mostReleased = 10_000
const fewestSlots = 4
const mostSpares = 16

type Refusal = Extract<Applied, { readonly kind: "refused" }>

/** All routes of all applications. */
export const allRoutes = (book: Book): readonly RouteSpec[] =>
  Object.values(book.apps).flatMap((entry) => entry.routes)

export const allDoors = (book: Book): readonly Door[] => [...Object.values(book.doors), ...book.spares]

export const backendOf = ({ door, slot }: { readonly door: number; readonly slot: number }): string =>
  `d${door}p${slot}`

export const serverOf = (placement: Placement): string => `${backendOf(placement)}/s${placement.number}`

/** With the epoch remembered, or why it is refused. */
export function fenced(book: Book, app: string, epoch: number): Book | Refusal {
  const known = book.apps[app]
  if (known && epoch < known.epoch) return stale(`epoch ${epoch} of ${app} is over; ${known.epoch} has begun`)
  if (known?.epoch === epoch) return book
  const entry: AppEntry = { epoch, generation: 0, sent: "", routes: known?.routes ?? [] }
  return { ...book, apps: { ...book.apps, [app]: entry } }
}

/** Why an order comes too late; undefined when it may be followed. */
export function staleOrder(book: Book, { app, epoch, generation }: Fence): Refusal | undefined {
  const known = book.apps[app]
  if (!known || epoch > known.epoch || (epoch === known.epoch && generation >= known.generation))
    return undefined
  return stale(`${epoch}.${generation} of ${app} comes after ${known.epoch}.${known.generation}`)
}

/** Why a table may not be applied; undefined when it may. */
export function refusalOf(book: Book, fence: Fence, routes: readonly RouteSpec[]): Refusal | undefined {
  const late = staleOrder(book, fence)
  if (late) return late
  const known = book.apps[fence.app]
  const same = known?.epoch === fence.epoch && known.generation === fence.generation
  const wrong = tableProblem(book, fence.app, routes)
  if (wrong !== undefined) return { kind: "refused", code: "invalid", because: wrong }
  if (same && known.sent !== JSON.stringify(routes))
    return stale(
      `another table of ${fence.app} has generation ${fence.epoch}.${fence.generation}; send a newer one`,
    )
  return undefined
}

/** With the table of one application replaced; `addresses`: where its new doors listen. */
export function withTable(
  book: Book,
  { app, epoch, generation }: Fence,
  routes: readonly RouteSpec[],
  addresses: ReadonlyMap<string, string>,
): Book {
  const entry: AppEntry = { epoch, generation, sent: JSON.stringify(routes), routes }
  return settled({ ...book, apps: { ...book.apps, [app]: entry } }, addresses)
}

/** With an instance refused for ever and out of every table. */
export function withoutInstance(book: Book, id: string): Book {
  const apps = Object.entries(book.apps).map(([name, entry]) => [
    name,
    { ...entry, routes: entry.routes.map((route) => ({ ...route, pools: route.pools.map(without(id)) })) },
  ])
  return settled(
    {
      ...book,
      apps: Object.fromEntries(apps),
      released: [...book.released, id].slice(-mostReleased),
    },
    new Map(),
  )
}

/** With placements that answered a probe. */
export const withReady = (book: Book, numbers: ReadonlySet<number>): Book => ({
  ...book,
  placements: book.placements.map((one) => (numbers.has(one.number) ? { ...one, ready: true } : one)),
})

/** With placements forgotten that HAProxy has no server for any more; their slots are free again. */
export const withoutPlacements = (book: Book, numbers: ReadonlySet<number>): Book =>
  settled({ ...book, placements: book.placements.filter((one) => !numbers.has(one.number)) }, new Map())

/** Of a pool without a share that some users are in all the same, in percent. */
const leastWeight = 0.001

/** Percent: above zero when any route may send users to the instance. */
export const weightOf = (book: Book, id: string): number =>
  Math.max(
    0,
    ...allRoutes(book).flatMap((route) =>
      route.pools.flatMap((pool) =>
        pool.instances.some((one) => one.id === id)
          ? [Math.max(pool.weight, route.first?.pool === pool.pool ? leastWeight : 0)]
          : [],
      ),
    ),
  )

const without =
  (id: string) =>
  (pool: PoolSpec): PoolSpec => ({ ...pool, instances: pool.instances.filter((one) => one.id !== id) })

/** Doors, slots and placements that its tables need; what exists keeps its number. */
function settled(book: Book, addresses: ReadonlyMap<string, string>): Book {
  let { next } = book
  const routes = allRoutes(book)
  const doors: Record<string, Door> = {}
  const placements: Placement[] = []
  const names = new Set(routes.map((route) => route.route))
  const gone = Object.entries(book.doors).flatMap(([name, door]) =>
    !names.has(name) && door.listen.endsWith(":0") ? [door] : [],
  )
  const spares = [...gone, ...book.spares].slice(0, mostSpares)
  for (const route of routes) {
    const spare = book.doors[route.route] ? -1 : spares.findIndex((door) => fits(door, route))
    const known = book.doors[route.route] ?? spares.splice(spare, spare < 0 ? 0 : 1)[0]
    const address = addresses.get(route.route) ?? known?.address ?? route.listen
    const number = known?.number ?? next++
    const slots = slotsFor(book, known, route.pools)
    const { listen, sticky, plain, health } = route
    const first = route.first?.keys
    doors[route.route] = {
      number,
      listen,
      address,
      sticky,
      ...(plain ? { plain } : {}),
      ...(health ? { health } : {}),
      ...(first ? { first } : {}),
      slots,
    }
    for (const pool of route.pools) {
      for (const { id, address: at } of pool.instances) {
        const same = book.placements.find(
          (one) => one.door === number && one.pool === pool.pool && one.id === id && one.address === at,
        )
        const slot = slots.indexOf(pool.pool)
        placements.push(
          same
            ? { ...same, leaving: false }
            : {
                number: next++,
                route: route.route,
                door: number,
                slot,
                pool: pool.pool,
                id,
                address: at,
                leaving: false,
                ready: false,
              },
        )
      }
    }
  }
  const kept = new Set(placements.map((one) => one.number))
  const leaving = book.placements
    .filter((one) => !kept.has(one.number))
    .map((one) => ({ ...one, leaving: true }))
  const free = (door: Door): Door => ({ ...door, slots: slotsFor(book, door, []) })
  const settledBook = {
    ...book,
    doors,
    spares: spares.map(free),
    next,
    placements: [...placements, ...leaving],
  }
  const changed = shape(settledBook) !== shape(book)
  return changed ? { ...settledBook, structure: book.structure + 1 } : settledBook
}

/** A pool keeps its slot; a slot is free again when nobody of its last pool is left in it. */
function slotsFor(
  book: Book,
  door: Door | undefined,
  pools: readonly PoolSpec[],
): readonly (string | null)[] {
  const names = new Set(pools.map((pool) => pool.pool))
  const slots: (string | null)[] = (door?.slots ?? Array<null>(fewestSlots).fill(null)).map((pool, slot) => {
    const inUse = book.placements.some((one) => one.door === door?.number && one.slot === slot)
    return pool !== null && (names.has(pool) || inUse) ? pool : null
  })
  for (const name of names) {
    if (slots.includes(name)) continue
    const free = slots.indexOf(null)
    if (free >= 0) slots[free] = name
    else slots.push(name)
  }
  return slots
}

const fits = (door: Door, { listen, sticky, plain, first, health }: RouteSpec): boolean =>
  door.listen === listen &&
  door.plain === plain &&
  JSON.stringify(door.health) === JSON.stringify(health) &&
  JSON.stringify(door.first) === JSON.stringify(first?.keys) &&
  JSON.stringify(door.sticky) === JSON.stringify(sticky)

/** What only a reload can change. */
const shape = (book: Book): string =>
  JSON.stringify(
    allDoors(book)
      .toSorted((a, b) => a.number - b.number)
      .map(({ number, address, sticky, plain, health, first, slots }) => [
        number,
        address,
        sticky,
        slots.length,
        plain === true,
        health ?? null,
        first ?? [],
      ]),
  )

/** What is wrong with a table, in a sentence. */
function tableProblem(book: Book, app: string, routes: readonly RouteSpec[]): string | undefined {
  const released = new Set(book.released)
  const names = routes.map((route) => route.route)
  const twiceNamed = names.find((name, at) => names.indexOf(name) !== at)
  if (twiceNamed) return `route ${twiceNamed} is there twice`
  for (const route of routes) {
    const wrong = routeProblem(route, released)
    if (wrong !== undefined) return `${route.route}: ${wrong}`
  }
  for (const [other, { routes: theirs }] of Object.entries(book.apps)) {
    const foreign = other === app ? undefined : theirs.find((route) => names.includes(route.route))
    if (foreign) return `route ${foreign.route} belongs to ${other}`
  }
  return undefined
}

const address = /^[\d.]+:\d{1,5}$/
const cookieName = /^[!#$%&'*+\-.^_`|~\w]+$/

function routeProblem(route: RouteSpec, released: ReadonlySet<string>): string | undefined {
  if (!address.test(route.listen)) return `${route.listen} is not an address such as 127.0.0.1:8103`
  if ("name" in route.sticky && !cookieName.test(route.sticky.name))
    return `${route.sticky.name} is not a name of a ${route.sticky.by}`
  const instances = route.pools.flatMap((pool) => pool.instances)
  const ids = instances.map((one) => one.id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice) return `${twice} is there twice`
  const gone = ids.find((id) => released.has(id))
  if (gone) return `instance ${gone} was released and may never be routed to again`
  const lost = instances.find((one) => !address.test(one.address))
  if (lost) return `${lost.address} of ${lost.id} is not an address such as 127.0.0.1:41001`
  if (route.pools.length === 0) return undefined
  if (route.pools.some((pool) => !Number.isFinite(pool.weight) || pool.weight < 0))
    return "a weight is negative or not a number"
  const sum = route.pools.reduce((total, pool) => total + pool.weight, 0)
  return Math.abs(sum - 100) > 0.001 ? `the weights sum to ${sum}, not to 100` : undefined
}

const stale = (because: string): Refusal => ({ kind: "refused", code: "stale", because })
