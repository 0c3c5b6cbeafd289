import type { RequestHead } from "./request-head.ts"
import type { UpstreamFailure } from "./upstream.ts"

/**
 * Whether a request can be made a second time without harm. Only such a request goes out on a connection
 * that rested: its server may close that at any moment, and then nobody knows whether it was heard.
 */
export const mayUseIdle = (head: RequestHead): boolean =>
  (head.method === "GET" || head.method === "HEAD" || head.method === "OPTIONS") &&
  head.framing.kind === "none"

const mostAttempts = 3
const leastBudget = 10
const budget = 0.2

export type Attempt = {
  readonly failure: UpstreamFailure
  /** So far, this one included. */
  readonly attempts: number
  readonly wasReused: boolean
  readonly sawBytes: boolean
  readonly isSafe: boolean
  readonly bodyStarted: boolean
  /** Requests being made again now, and all requests now. */
  readonly replays: number
  readonly underWay: number
}

/**
 * A connection that never came about carried nothing, so any request may go elsewhere. A request that was
 * sent is made again only when a reused connection died under it without a byte of an answer, when it
 * is safe, and while few others are being made again: an instance that comes back must not be trampled.
 */
export function mayTryAgain(attempt: Attempt): boolean {
  if (attempt.attempts >= mostAttempts) return false
  if (attempt.failure === "connect") return !attempt.bodyStarted
  // Its machine is cut off. Those who wait there are spread over all others, so nobody is trampled.
  if (attempt.failure === "silent") return attempt.isSafe && !attempt.sawBytes
  if (attempt.failure !== "reset" || !attempt.wasReused || attempt.sawBytes || !attempt.isSafe) return false
  return attempt.replays < Math.max(leastBudget, budget * attempt.underWay)
}
