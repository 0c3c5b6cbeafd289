import type { WeeklyWindow } from "../core/model/policy.ts"
import type { Instant } from "../core/model/time.ts"
import { weekdays, zoneProblem } from "./week.ts"

const minute = 60_000
const day = 86_400_000
const week = 7 * day
/** Clocks follow laws, and nobody knows those of the next decade. */
const lookAhead = 10 * 365 * day
const rule =
  /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([01]\d|2[0-3]):([0-5]\d) - (Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([01]\d|2[0-3]):([0-5]\d)$/

/** What is wrong with a window, in a sentence; undefined when nothing is. */
export function freezeProblem(when: string, zone: string): string | undefined {
  if (!rule.test(when)) return `"${when}" is not a window such as "Fri 16:00 - Mon 08:00"`
  return zoneProblem(zone)
}

/** The window as the core repeats it, with what the zone's clocks do until years after `now`. */
export function freezeWeekly(when: string, zone: string, now: Instant): WeeklyWindow | undefined {
  const found = rule.exec(when)
  if (!found) return undefined
  const [, fromDay = "", fromHour, fromMinute, untilDay = "", untilHour, untilMinute] = found
  const place = (name: string, hour: string | undefined, minute: string | undefined) =>
    weekdays.indexOf(name) * day + Number(hour) * 3_600_000 + Number(minute) * 60_000
  return {
    from: place(fromDay, fromHour, fromMinute),
    until: place(untilDay, untilHour, untilMinute),
    offsets: offsetsOf(zone, now),
  }
}

/** Looked for week by week: no zone changes its clocks there and back within one. */
function offsetsOf(zone: string, now: Instant): WeeklyWindow["offsets"] {
  const clock = clockOf(zone)
  const begin = Math.floor(now / day) * day - week
  const offsets = [{ at: begin, offset: offset(begin, clock) }]
  for (let before = begin; before < begin + lookAhead; before += week) {
    const known = offsets.at(-1)?.offset
    const then = offset(before + week, clock)
    if (then === known) continue
    let [low, high] = [before, before + week]
    while (high - low > minute) {
      const middle = low + Math.floor((high - low) / (2 * minute)) * minute
      if (offset(middle, clock) === known) low = middle
      else high = middle
    }
    offsets.push({ at: high, offset: then })
  }
  return offsets
}

const clockOf = (zone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  })

function offset(at: Instant, clock: Intl.DateTimeFormat): number {
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 0, day: date = 0, hour = 0, minute: min = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, date, hour, min, second) - Math.floor(at / 1_000) * 1_000
}
