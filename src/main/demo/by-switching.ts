import type { Seen } from "./traffic.ts"

/** Who a failed request may be blamed on besides the system. */
export type Blame = {
  /** The pool of the bad release. */
  readonly pool: string | undefined
  /** When its instances were seen to have died, in ms since 1970. */
  readonly crashes: readonly number[]
  /**
   * Whether the router breaks a connection off without a word when an instance dies under a request on it, as
   * HAProxy does with a connection that was used before: then no answer names the pool.
   */
  readonly isSilent: boolean
}

/** From the death of an instance to its event in the journal, at most. */
const noticedWithin = 3_000

/**
 * Requests that failed with no instance to blame: the router's own answers and broken connections, but those
 * that were meant for the bad release or were under way as one of its instances died.
 */
export function bySwitching(failed: readonly Seen[], { pool, crashes, isSilent }: Blame): readonly Seen[] {
  return failed.filter((request) => {
    if (request.release !== undefined || (pool !== undefined && request.pool === pool)) return false
    if (!isSilent || request.pool !== undefined || !isBrokenOff(request)) return true
    const ended = request.at + request.ms
    return !crashes.some((at) => at - noticedWithin <= ended && ended <= at)
  })
}

const isBrokenOff = ({ router }: Seen): boolean => /hang up|ECONNRESET|EPIPE/.test(router ?? "")
