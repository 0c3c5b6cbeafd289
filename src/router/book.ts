import { createHash } from "node:crypto"
import { Refusal } from "./refusal.ts"
import type { Fence, RouteTable, TableOrder } from "./table.ts"

export type AppEntry = {
  readonly epoch: number
  /** 0 after a fence: the new epoch has sent no table yet. */
  readonly generation: number
  /** Of the table as it was sent; empty after a fence. */
  readonly digest: string
  readonly routes: readonly RouteTable[]
}

/** Everything the router must remember, whole. */
export type Book = {
  readonly apps: Readonly<Record<string, AppEntry>>
  /** The ports that were given to routes that asked for any. */
  readonly ports: Readonly<Record<string, number>>
  /** Instances that are refused for ever, by application, oldest first. */
  readonly tombstones: Readonly<Record<string, readonly string[]>>
}

export const emptyBook: Book = { apps: {}, ports: {}, tombstones: {} }

const mostTombstones = 10_000

/** All routes of all applications. */
export const allRoutes = (book: Book): readonly RouteTable[] =>
  Object.values(book.apps).flatMap((entry) => entry.routes)

/** With the epoch remembered. Throws a 409 for an older one. */
export function fence(book: Book, app: string, epoch: number): Book {
  const known = book.apps[app]
  if (known && epoch < known.epoch) throw stale(`epoch ${epoch} of ${app} is over; ${known.epoch} has begun`)
  if (known?.epoch === epoch) return book
  const entry: AppEntry = { epoch, generation: 0, digest: "", routes: known?.routes ?? [] }
  return { ...book, apps: { ...book.apps, [app]: entry } }
}

/** With the table of one application replaced. Throws a Refusal when it is older, or names what it must not. */
export function replaceTable(book: Book, order: TableOrder): Book {
  const digest = createHash("sha256").update(JSON.stringify(order.routes)).digest("hex")
  refuseReleased(book, order.routes)
  refuseForeign(book, order)
  const known = book.apps[order.app]
  if (known && compare(order, known) <= 0) {
    if (compare(order, known) === 0 && known.digest === digest) return book
    throw stale(
      `table ${order.epoch}.${order.generation} of ${order.app} comes after ${known.epoch}.${known.generation}; send a newer generation`,
    )
  }
  const { app, epoch, generation, routes } = order
  return { ...book, apps: { ...book.apps, [app]: { epoch, generation, digest, routes } } }
}

/** Throws a 409 unless the order is at least as new as the last table. */
export function checkFence(book: Book, order: Fence): void {
  const known = book.apps[order.app]
  if (known && compare(order, known) < 0)
    throw stale(
      `order ${order.epoch}.${order.generation} of ${order.app} comes after table ${known.epoch}.${known.generation}`,
    )
}

export const isReleased = (book: Book, instance: string): boolean =>
  Object.values(book.tombstones).some((ids) => ids.includes(instance))

/** With the instance refused for ever and out of every table. */
export function bury(book: Book, app: string, instance: string): Book {
  const before = book.tombstones[app] ?? []
  const apps = Object.entries(book.apps).map(([name, entry]) => [
    name,
    { ...entry, routes: entry.routes.map((route) => without(route, instance)) },
  ])
  return {
    ...book,
    apps: Object.fromEntries(apps),
    tombstones: { ...book.tombstones, [app]: [...before, instance].slice(-mostTombstones) },
  }
}

/** With the ports that routes of this book really got. */
export function rememberPorts(book: Book, addresses: ReadonlyMap<string, string>): Book {
  const ports: Record<string, number> = {}
  for (const { route, listen } of allRoutes(book)) {
    const port = Number(addresses.get(route)?.split(":").at(-1))
    if (listen.endsWith(":0") && port > 0) ports[route] = port
  }
  return { ...book, ports }
}

function without(route: RouteTable, instance: string): RouteTable {
  if (!route.pools.some((pool) => pool.instances.some((one) => one.id === instance))) return route
  const pools = route.pools.map((pool) => ({
    ...pool,
    instances: pool.instances.filter((one) => one.id !== instance),
  }))
  return { ...route, pools }
}

function refuseReleased(book: Book, routes: readonly RouteTable[]): void {
  const released = new Set(Object.values(book.tombstones).flat())
  if (released.size === 0) return
  for (const route of routes)
    for (const pool of route.pools)
      for (const { id } of pool.instances)
        if (released.has(id))
          throw new Refusal(422, "released", `instance ${id} was released and may never be routed to again`)
}

/** Routes and instances belong to one application. */
function refuseForeign(book: Book, order: TableOrder): void {
  const mine = new Set(order.routes.map((route) => route.route))
  const ids = new Set(
    order.routes.flatMap((route) => route.pools.flatMap((pool) => pool.instances.map((one) => one.id))),
  )
  for (const [app, entry] of Object.entries(book.apps)) {
    if (app === order.app) continue
    for (const route of entry.routes) {
      if (mine.has(route.route)) throw new Refusal(422, "invalid", `route ${route.route} belongs to ${app}`)
      const foreign = route.pools.flatMap((pool) => pool.instances).find((one) => ids.has(one.id))
      if (foreign) throw new Refusal(422, "invalid", `instance ${foreign.id} belongs to ${app}`)
    }
  }
}

const compare = (a: { readonly epoch: number; readonly generation: number }, b: AppEntry): number =>
  a.epoch - b.epoch || a.generation - b.generation

const stale = (message: string): Refusal => new Refusal(409, "stale", message)
