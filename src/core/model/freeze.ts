import type { FreezeWindow, WeeklyWindow } from "./policy.ts"
import type { Duration, Instant } from "./time.ts"

const week: Duration = 7 * 86_400_000

/** Until when a window that holds now lasts; undefined while it does not hold. */
export function frozenUntil({ spans, weekly }: FreezeWindow, at: Instant): Instant | undefined {
  const span = spans.find(({ from, until }) => from <= at && at < until)
  if (span) return span.until
  if (!weekly) return undefined
  const now = placeInWeek(weekly, at)
  const { from, until } = weekly
  const holds = from < until ? from <= now && now < until : now >= from || now < until
  return holds ? next(weekly, until, at) : undefined
}

/** When a window begins or ends next. */
export function freezeChanges({ spans, weekly }: FreezeWindow, at: Instant): readonly Instant[] {
  const single = spans.flatMap(({ from, until }) => [from, until])
  return weekly ? [...single, next(weekly, weekly.from, at), next(weekly, weekly.until, at)] : single
}

/** What the clock on the wall shows, since Sunday 00:00. */
function placeInWeek(weekly: WeeklyWindow, at: Instant): Duration {
  // The epoch was a Thursday.
  return (at + offsetAt(weekly, at) + 4 * 86_400_000) % week
}

/** The instant, after `at`, when the wall shows this place of the week. */
function next(weekly: WeeklyWindow, place: Duration, at: Instant): Instant {
  const ahead = (place - placeInWeek(weekly, at) + week) % week || week
  const guess = at + ahead
  // The clock may change on the way; an hour that comes twice counts once.
  const moved = guess + offsetAt(weekly, at) - offsetAt(weekly, guess)
  return moved > at ? moved : guess
}

function offsetAt({ offsets }: WeeklyWindow, at: Instant): Duration {
  const since = offsets.findLast((known) => known.at <= at) ?? offsets[0]
  return since?.offset ?? 0
}
