import { describe, expect, it } from "vitest"
import { freezeChanges, frozenUntil } from "../core/model/freeze.ts"
import type { FreezeWindow } from "../core/model/policy.ts"
import { freezeProblem, freezeWeekly } from "./freeze.ts"

const iso = (at: number | undefined) => at && new Date(at).toISOString().slice(0, 16)
const year = 365 * 86_400_000

/** As it was read from a commit at that moment. */
const read = (when: string, zone: string, now: string): FreezeWindow => ({
  ...{ name: "freeze", when, zone, spans: [] },
  weekly: freezeWeekly(when, zone, Date.parse(now)),
})
const until = (window: FreezeWindow, at: string) => iso(frozenUntil(window, Date.parse(at)))

/** A clock on the wall, asked of the calendar itself. */
const wallIn = (zone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: zone, weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  })

describe("a freeze window", () => {
  it("is a weekday and a time to a weekday and a time, in a zone that exists", () => {
    expect(freezeProblem("Fri 16:00 - Mon 08:00", "Europe/Berlin")).toBeUndefined()
    expect(freezeProblem("Fri 25:00 - Mon 08:00", "Europe/Berlin")).toContain("is not a window")
    expect(freezeProblem("Fri 16:00 - Mon 08:00", "Europe/Atlantis")).toContain("is not a time zone")
  })

  it("covers now when now lies in it, also when it began last week", () => {
    const window = read("Fri 16:00 - Mon 08:00", "UTC", "2026-11-22T12:00Z")
    expect(until(window, "2026-11-22T12:00Z")).toBe("2026-11-23T08:00")
    expect(until(window, "2026-11-23T08:00Z")).toBeUndefined()
    expect(until(window, "2026-11-27T15:59Z")).toBeUndefined()
    expect(until(window, "2026-11-27T16:00Z")).toBe("2026-11-30T08:00")
  })

  it("E31: keeps the wall clock when summer time ends inside it", () => {
    const window = read("Fri 16:00 - Mon 08:00", "Europe/Berlin", "2026-10-21T12:00Z")
    expect(until(window, "2026-10-23T13:59Z")).toBeUndefined()
    expect(until(window, "2026-10-23T14:00Z")).toBe("2026-10-26T07:00")
    expect(until(window, "2026-10-26T06:59Z")).toBe("2026-10-26T07:00")
    expect(until(window, "2026-10-26T07:00Z")).toBeUndefined()
  })

  it("E31: keeps the wall clock when summer time begins inside it", () => {
    const window = read("Sat 12:00 - Sun 12:00", "Europe/Berlin", "2026-03-25T12:00Z")
    expect(until(window, "2026-03-28T11:00Z")).toBe("2026-03-29T10:00")
    expect(until(window, "2026-03-29T10:00Z")).toBeUndefined()
  })

  it("is right in a zone where it is another day already", () => {
    const window = read("Mon 00:00 - Mon 06:00", "Pacific/Auckland", "2026-11-18T12:00Z")
    expect(until(window, "2026-11-22T11:00Z")).toBe("2026-11-22T17:00")
    expect(until(window, "2026-11-22T10:59Z")).toBeUndefined()
  })

  it("of one minute to the same minute lasts for ever", () => {
    const window = read("Mon 08:00 - Mon 08:00", "UTC", "2026-11-18T12:00Z")
    expect(until(window, "2026-11-18T12:00Z")).toBe("2026-11-23T08:00")
    expect(until(window, "2031-11-18T12:00Z")).toBeDefined()
  })

  for (const zone of ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
    it(`holds for a commit that was read nine years ago as for one of today, by the clocks of ${zone}`, () => {
      const begin = Date.parse("2026-11-21T12:00Z")
      const window = read("Fri 16:00 - Mon 08:00", zone, "2026-11-21T12:00Z")
      const wall = wallIn(zone)
      for (let at = begin; at < begin + 9 * year; at += 7 * 3_600_000 + 60_000) {
        const [day = "", time = ""] = wall.format(at).split(" ")
        const frozen =
          ["Sat", "Sun"].includes(day) ||
          (day === "Fri" && time >= "16:00") ||
          (day === "Mon" && time < "08:00")
        expect([iso(at), frozenUntil(window, at) !== undefined]).toEqual([iso(at), frozen])
      }
    })

  it("says when it begins and ends next, over any number of years", () => {
    const window = read("Fri 16:00 - Mon 08:00", "Europe/Berlin", "2026-11-21T12:00Z")
    let at = Date.parse("2026-11-21T12:00Z")
    const wall = wallIn("Europe/Berlin")
    for (let i = 0; i < 900; i++) {
      at = Math.min(...freezeChanges(window, at))
      expect(wall.format(at)).toBe(i % 2 === 0 ? "Mon 08:00" : "Fri 16:00")
    }
  })
})
