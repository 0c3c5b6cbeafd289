import type { Instant } from "../core/model/time.ts"
import type { LocalTime } from "../core/pipeline/draft.ts"

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const clocks = new Map<string, Intl.DateTimeFormat>()

/** What the clocks on the wall show in a time zone, changes of daylight saving included. */
export function localTime(at: Instant, zone: string): LocalTime {
  const clock =
    clocks.get(zone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
    })
  clocks.set(zone, clock)
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]))
  return {
    day: days.indexOf(parts.weekday ?? ""),
    minute: Number(parts.hour) * 60 + Number(parts.minute),
  }
}
