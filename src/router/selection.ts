import type { PoolTable, Sticky } from "./table.ts"

/**
 * Pools in the order in which shares are cut: what is not stable first, by name, so that a growing share
 * of it contains everyone who was in the smaller one.
 */
export function cutOrder<P extends PoolTable>(pools: readonly P[], stable: string | null): readonly P[] {
  const rank = (pool: P) => (pool.pool === stable ? 1 : 0)
  return [...pools].sort((a, b) => rank(a) - rank(b) || (a.pool < b.pool ? -1 : 1))
}

/** The pool at a point of [0, 1) of the weights laid side by side. Never one of weight 0. */
export function poolAt<P extends PoolTable>(ordered: readonly P[], point: number): P | undefined {
  let edge = 0
  let last: P | undefined
  for (const pool of ordered) {
    if (pool.weight <= 0) continue
    edge += pool.weight
    last = pool
    if (point * 100 < edge) return pool
  }
  return last
}

const golden = (Math.sqrt(5) - 1) / 2

/**
 * Points that fill [0, 1) evenly, whatever the weights are and however often they change: after n of
 * them a share is off by about log(n) requests, where dice would be off by the root of n.
 */
export function evenPoints(start: number): () => number {
  let point = start
  return () => {
    point += golden
    if (point >= 1) point -= 1
    return point
  }
}

/** A cookie's value in a Cookie header; the first of that name. */
export function cookieValue(header: string, name: string): string | undefined {
  for (let at = 0; at < header.length; ) {
    const semicolon = header.indexOf(";", at)
    const end = semicolon === -1 ? header.length : semicolon
    const equals = header.indexOf("=", at)
    if (equals !== -1 && equals < end && header.slice(at, equals).trim() === name) {
      const value = header.slice(equals + 1, end).trim()
      if (value !== "") return value
    }
    at = end + 1
  }
  return undefined
}

export type Key = {
  /** Undefined: nothing to hold on to, any side will do. */
  readonly key: string | undefined
  /** A cookie to give to a user who had none. */
  readonly assign: string | undefined
}

/** What a user is recognised by. */
export function stickyKey(
  sticky: Sticky,
  fieldValue: (lower: string) => string | undefined,
  address: string | undefined,
  random: () => string,
): Key {
  switch (sticky.by) {
    case "none":
      return { key: undefined, assign: undefined }
    case "address":
      return { key: address, assign: undefined }
    case "header":
      return { key: fieldValue(sticky.name.toLowerCase()) ?? address, assign: undefined }
    case "cookie": {
      const known = cookieValue(fieldValue("cookie") ?? "", sticky.name)
      if (known !== undefined) return { key: known, assign: undefined }
      const fresh = random()
      return {
        key: fresh,
        assign: `Set-Cookie: ${sticky.name}=${fresh}; Path=/; SameSite=Lax; HttpOnly; Max-Age=2592000\r\n`,
      }
    }
  }
}
