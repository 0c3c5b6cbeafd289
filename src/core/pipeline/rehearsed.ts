import type { PlannedFailure } from "../model/planned-failure.ts"
import type { Instant } from "../model/time.ts"
import type { Event } from "./events.ts"

/** How many are remembered for each region. */
const remembered = 20

/** What is known of a region's planned failures after an event about one, newest first. */
export function failuresAfter(
  before: readonly PlannedFailure[],
  event: Extract<Event, { type: "failure-planned" | "failure-passed" | "strength-missing" }>,
  at: Instant,
): readonly PlannedFailure[] {
  if (event.type === "failure-planned") {
    const { kind, instance, pool } = event
    return [{ at, kind, instance, pool }, ...before].slice(0, remembered)
  }
  return before.map((failure) => {
    if (failure.instance !== event.instance || failure.end) return failure
    return event.type === "strength-missing"
      ? { ...failure, late: at }
      : { ...failure, end: { at, full: event.full } }
  })
}
