import { fractionOf } from "../core/model/chance.ts"
import type { Duration } from "../core/model/time.ts"

/**
 * How long to wait before trying again: twice as long each time, up to `longest`, and of that a share between a half
 * and all, by who waits and how often it failed (from 1). What failed together, because one thing behind it is down,
 * does not come back together. Repeatable, so that a simulation is.
 */
export function backOff(
  who: string,
  failures: number,
  { first, longest }: { readonly first: Duration; readonly longest: Duration },
): Duration {
  const full = Math.min(longest, first * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return Math.ceil(full * (0.5 + fractionOf(`${who} ${failures}`) / 2))
}
