import { describe, expect, it } from "vitest"
import { freezeProblem, freezeSpans } from "./freeze.ts"

const iso = (at: number) => new Date(at).toISOString().slice(0, 16)
const spansOf = (when: string, zone: string, now: string) =>
  freezeSpans(when, zone, Date.parse(now)).map(({ from, until }) => `${iso(from)} ${iso(until)}`)

describe("a freeze window", () => {
  it("is a weekday and a time to a weekday and a time, in a zone that exists", () => {
    expect(freezeProblem("Fri 16:00 - Mon 08:00", "Europe/Berlin")).toBeUndefined()
    expect(freezeProblem("Fri 25:00 - Mon 08:00", "Europe/Berlin")).toContain("is not a window")
    expect(freezeProblem("Fri 16:00 - Mon 08:00", "Europe/Atlantis")).toContain("is not a time zone")
  })

  it("covers now when now lies in it, also when it began last week", () => {
    const now = Date.parse("2026-11-22T12:00Z")
    const spans = freezeSpans("Fri 16:00 - Mon 08:00", "UTC", now)
    expect(spans.some(({ from, until }) => from <= now && now < until)).toBe(true)
  })

  it("E31: keeps the wall clock when summer time ends inside it", () => {
    expect(spansOf("Fri 16:00 - Mon 08:00", "Europe/Berlin", "2026-10-21T12:00Z")).toContain(
      "2026-10-23T14:00 2026-10-26T07:00",
    )
  })

  it("E31: keeps the wall clock when summer time begins inside it", () => {
    expect(spansOf("Sat 12:00 - Sun 12:00", "Europe/Berlin", "2026-03-25T12:00Z")).toContain(
      "2026-03-28T11:00 2026-03-29T10:00",
    )
  })

  it("is right in a zone where it is another day already", () => {
    expect(spansOf("Mon 00:00 - Mon 06:00", "Pacific/Auckland", "2026-11-18T12:00Z")).toContain(
      "2026-11-22T11:00 2026-11-22T17:00",
    )
  })

  it("of one minute to the same minute lasts a week", () => {
    const [first] = freezeSpans("Mon 08:00 - Mon 08:00", "UTC", Date.parse("2026-11-18T12:00Z"))
    expect((first?.until ?? 0) - (first?.from ?? 0)).toBe(7 * 86_400_000)
  })
})
