import { join } from "node:path"
import type { RouteSpec } from "../../../core/pipeline/effects.ts"
import { allDoors, allRoutes, type Book, backendOf, type Door } from "./book.ts"
import { type Hold, heldUntil } from "./holding.ts"

/** Points of a route's line go from 0 to this. */
const line = 2 ** 32

export const rowsFile = (dir: string): string => join(dir, "rows.map")
export const poolsFile = (dir: string): string => join(dir, "pools.map")

/** Where a row's fields begin that come after its parts. */
export const firstField = ({ slots }: Door): number => 4 + 2 * slots.length
export const holdField = (door: Door): number => firstField(door) + 1

/** One row for each door; a held route keeps the row that it had, with the moment until which its requests wait. */
export function rowsOf(book: Book, holds: readonly Hold[] = [], now = 0): string {
  const routed = allRoutes(book).flatMap((route) => {
    const door = book.doors[route.route]
    const hold = holds.find((one) => one.route.route === route.route)
    if (!door) return []
    const row = hold ? rowOf(hold.route, door, heldUntil(hold, now)) : rowOf(route, door)
    return [[door.number, row] as const]
  })
  const idle = book.spares.map((door) => [door.number, rowOf(undefined, door)] as const)
  return [...routed, ...idle].map(([door, row]) => `d${door} ${row}\n`).join("")
}

/** Which pool is in which backend. */
export const poolRowsOf = (book: Book): string =>
  allDoors(book)
    .flatMap((door) =>
      door.slots.map(
        (pool, slot) => `${backendOf({ door: door.number, slot })} ${encoded(pool ?? "none")}\n`,
      ),
    )
    .join("")

/**
 * One route in one value, so that one `set map` swaps it whole: salt, stable backend, share to copy, and for each pool
 * the end of its part of the line and its backend; then the backend of users who come first, and until when its
 * requests wait (0: not at all). What is not stable comes first, by name: a growing share keeps everybody it had.
 */
function rowOf(route: RouteSpec | undefined, door: Door, held = 0): string {
  const rank = (pool: string) => (pool === route?.stable ? 1 : 0)
  const ordered = (route?.pools ?? [])
    .filter((pool) => pool.weight > 0)
    .toSorted((a, b) => rank(a.pool) - rank(b.pool) || (a.pool < b.pool ? -1 : 1))
  let reach = 0
  const parts = ordered.flatMap((pool, at) => {
    reach += pool.weight
    const end = at === ordered.length - 1 ? line : Math.round((reach / 100) * line)
    return [String(end), nameIn(door, pool.pool)]
  })
  while (parts.length < 2 * door.slots.length) parts.push("0", "none")
  const copied = route?.mirror ? Math.round(route.mirror.sample * line) : 0
  return [
    `${encoded(route?.salt ?? "")}%00`,
    nameIn(door, route?.stable),
    String(copied),
    ...parts,
    nameIn(door, route?.first?.pool),
    String(held),
  ].join("|")
}

const nameIn = (door: Door, pool: string | undefined): string => {
  const slot = pool === undefined ? -1 : door.slots.indexOf(pool)
  return slot < 0 ? "none" : backendOf({ door: door.number, slot })
}

/** Safe in a map, in its socket command and in a log line: no spaces, no separators. */
const encoded = (text: string): string => encodeURIComponent(text)
