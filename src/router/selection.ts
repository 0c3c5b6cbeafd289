import { createHash } from "node:crypto"
import type { Instance, Pool, RouteTable } from "./table.ts"

/**
 * Where a user falls, 0 to 1: the same for the same salt and key on every router and after every restart. Users
 * below a pool's share are its users, so a growing share keeps everybody it had.
 */
export const position = (salt: string, key: string): number =>
  createHash("sha256").update(salt).update("\0").update(key).digest().readUInt32BE(0) / 2 ** 32

/** The pool for a request: newest pools take the first part of the line, the stable one the rest. */
export function choosePool(route: RouteTable, point: number): Pool | undefined {
  const ordered = [...route.pools].sort(
    (a, b) => Number(a.pool === route.stable) - Number(b.pool === route.stable),
  )
  let reach = 0
  for (const pool of ordered) {
    reach += pool.weight / 100
    if (pool.weight > 0 && point < reach) return pool
  }
  return ordered.filter((pool) => pool.weight > 0).at(-1)
}

/** Spreads requests without users evenly: a walk by the golden ratio hits every share almost exactly. */
export class EvenSpread {
  #point = Math.random()

  next(): number {
    this.#point = (this.#point + 0.618_033_988_749_895) % 1
    return this.#point
  }
}

/** The less busy of two; `avoid` only when there is nobody else. */
export function chooseInstance(
  pool: Pool,
  inFlight: (id: string) => number,
  usable: (id: string) => boolean,
  avoid: ReadonlySet<string>,
): Instance | undefined {
  const fresh = pool.instances.filter((instance) => !avoid.has(instance.id))
  const healthy = fresh.filter((instance) => usable(instance.id))
  // Never nobody: when all look dead, dead is more likely our mistake than theirs.
  const from = healthy.length > 0 ? healthy : fresh
  const a = from[Math.floor(Math.random() * from.length)]
  const b = from[Math.floor(Math.random() * from.length)]
  return a && b && inFlight(b.id) < inFlight(a.id) ? b : a
}
