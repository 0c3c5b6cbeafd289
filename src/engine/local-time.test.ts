import { expect, it } from "vitest"
import { localTime } from "./local-time.ts"

it("what the clocks on the wall show follows daylight saving, midnight and the change of the day", () => {
  expect(localTime(Date.parse("2026-03-29T00:30Z"), "Europe/Berlin")).toEqual({ day: 0, minute: 90 })
  expect(localTime(Date.parse("2026-03-29T01:30Z"), "Europe/Berlin")).toEqual({ day: 0, minute: 210 })
  expect(localTime(Date.parse("2026-11-20T23:00Z"), "Europe/Berlin")).toEqual({ day: 6, minute: 0 })
  expect(localTime(Date.parse("2026-11-21T12:34:56Z"), "America/New_York")).toEqual({ day: 6, minute: 454 })
})
