import { describe, expect, it } from "vitest"
import { pairRows } from "./pair-rows.ts"
import { readCsv, type Table } from "./read-csv.ts"
import { replay } from "./replay.ts"

const tolerated = { errors: { ratio: 0.2, delta: 0.005 }, latency: { ratio: 0.25, delta: 20 } }

/** So many minutes of 1,000 requests, with this many errors in each. */
const minutes = (count: number, errors: (minute: number) => number, from = 1): Table =>
  readCsv(
    `time,requests,errors\n${Array.from({ length: count }, (_, i) => `${(i + from) * 60},1000,${errors(i)}`).join("\n")}`,
    "x.csv",
  )
const latencies = (count: number, latency: (minute: number) => number): Table =>
  readCsv(
    `time,latency\n${Array.from({ length: count }, (_, i) => `${i},${latency(i)}`).join("\n")}`,
    "x.csv",
  )
const ran = (canary: Table, control: Table) => replay(pairRows(canary, control), [canary, control], tolerated)
const chance = (i: number) => 8 + ((i * 7919) % 5)

describe("rows of two files", () => {
  it("are put together by their time, within half a step", () => {
    const canary = minutes(3, () => 0)
    const control = readCsv("time,requests,errors\n55,1,0\n125,2,0\n240,3,0\n", "y.csv")
    const pairs = pairRows(canary, control)
    expect(
      pairs.map(({ from, to, canary: mine, control: other }) => [from, to, mine?.at, other?.requests]),
    ).toEqual([
      [0, 60_000, 60_000, 1],
      [60_000, 120_000, 120_000, 2],
      [120_000, 180_000, 180_000, undefined],
      [180_000, 240_000, undefined, 3],
    ])
  })

  it("cover a step each, and no gap before them", () => {
    const canary = readCsv("time,latency\n10,1\n20,1\n30,1\n300,1\n", "x.csv")
    expect(pairRows(canary, canary).map(({ from, to }) => to - from)).toEqual([
      10_000, 10_000, 10_000, 10_000,
    ])
  })
})

describe("the judge over two files", () => {
  it("lets a good release through and stops a bad one where it is proved", () => {
    const good = ran(
      minutes(60, chance),
      minutes(60, (i) => chance(i + 2)),
    )
    expect(good).toMatchObject({ end: "good", seen: 60, at: 59 })
    const bad = ran(
      minutes(60, (i) => (i < 20 ? chance(i) : 80)),
      minutes(60, (i) => chance(i + 2)),
    )
    expect(bad.end).toBe("worse")
    expect(bad.at).toBeGreaterThan(20)
    expect(bad.at).toBeLessThan(30)
    expect(bad.verdicts[0]?.because).toMatch(/failed, control/)
  })

  it("cannot tell from a few rows, or when one side is not seen", () => {
    expect(ran(minutes(2, chance), minutes(2, chance)).end).toBe("cannot tell")
    const dark = ran(minutes(60, chance), minutes(60, chance, 10_000))
    expect(dark).toMatchObject({ end: "cannot tell", seen: 0 })
  })

  it("judges latency by rows, as one number each", () => {
    const control = latencies(200, (i) => 100 + ((i * 7919) % 23))
    expect(
      ran(
        latencies(200, (i) => 103 + ((i * 104_729) % 23)),
        control,
      ).end,
    ).toBe("good")
    expect(
      ran(
        latencies(200, (i) => 240 + ((i * 104_729) % 23)),
        control,
      ),
    ).toMatchObject({
      end: "worse",
      metrics: [{ name: "latency" }],
    })
  })

  it("has nothing to say where the files share no column", () => {
    expect(
      ran(
        minutes(5, chance),
        latencies(5, () => 1),
      ).metrics,
    ).toEqual([])
  })
})
