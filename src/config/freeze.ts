import type { FreezeWindow } from "../core/model/policy.ts"
import { weekdays, zoneProblem } from "./week.ts"

const week = 7 * 86_400_000
const rule =
  /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([01]\d|2[0-3]):([0-5]\d) - (Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([01]\d|2[0-3]):([0-5]\d)$/

/** What is wrong with a window, in a sentence; undefined when nothing is. */
export function freezeProblem(when: string, zone: string): string | undefined {
  if (!rule.test(when)) return `"${when}" is not a window such as "Fri 16:00 - Mon 08:00"`
  return zoneProblem(zone)
}

/** The spans of a weekly window around `now`, a week back and five ahead; right over changes of daylight saving. */
export function freezeSpans(when: string, zone: string, now: number): FreezeWindow["spans"] {
  const found = rule.exec(when)
  if (!found) return []
  const [, fromDay = "", fromHour, fromMinute, untilDay = "", untilHour, untilMinute] = found
  const spans: { from: number; until: number }[] = []
  for (let back = -1; back <= 5; back++) {
    const from = inZone(
      now + back * week,
      zone,
      weekdays.indexOf(fromDay),
      Number(fromHour),
      Number(fromMinute),
    )
    let until = inZone(from, zone, weekdays.indexOf(untilDay), Number(untilHour), Number(untilMinute))
    if (until <= from)
      until = inZone(from + week, zone, weekdays.indexOf(untilDay), Number(untilHour), Number(untilMinute))
    spans.push({ from, until })
  }
  return spans
}

/** The instant of a weekday and wall-clock time in the week (Sunday to Saturday, local) that holds `near`. */
function inZone(near: number, zone: string, day: number, hour: number, minute: number): number {
  const local = wall(near, zone)
  const target = Date.UTC(local.year, local.month - 1, local.date + (day - local.day), hour, minute)
  // Twice: the first guess may lie on the other side of a clock change.
  let instant = target - offset(target, zone)
  instant = target - offset(instant, zone)
  return instant
}

function offset(at: number, zone: string): number {
  const local = wall(at, zone)
  return (
    Date.UTC(local.year, local.month - 1, local.date, local.hour, local.minute, local.second) -
    Math.floor(at / 1_000) * 1_000
  )
}

function wall(
  at: number,
  zone: string,
): Record<"year" | "month" | "date" | "hour" | "minute" | "second" | "day", number> {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
    weekday: "short",
  }).formatToParts(at)
  const get = (type: string) => parts.find((part) => part.type === type)?.value ?? "0"
  return {
    year: Number(get("year")),
    month: Number(get("month")),
    date: Number(get("day")),
    hour: Number(get("hour")),
    minute: Number(get("minute")),
    second: Number(get("second")),
    day: weekdays.indexOf(get("weekday")),
  }
}
