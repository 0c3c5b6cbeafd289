import { describe, expect, it } from "vitest"
import { readCsv } from "./read-csv.ts"

const rows = (text: string) => readCsv(text, "a.csv").rows
const said = (text: string): string => {
  try {
    return `no problem: ${JSON.stringify(rows(text))}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe("a CSV file of measurements", () => {
  it("has a time, requests and errors, latency, in any order, with any usual separator", () => {
    const expected = [
      { at: 60_000, requests: 100, errors: 2, latency: 12.5 },
      { at: 120_000, requests: 90, errors: 0, latency: undefined },
    ]
    expect(rows("time,requests,errors,latency\n60,100,2,12.5\n120,90,0,\n")).toEqual(expected)
    expect(
      rows('\uFEFF# exported\r\n"Latency";Errors;"requests";time\r\n12.5;2;100;60\r\n\r\nNaN;0;90;120\r\n'),
    ).toEqual(expected)
    expect(rows("time\tlatency\n2026-11-21T12:00:00Z\t1\n1795262401000\t2\n").map(({ at }) => at)).toEqual([
      1_795_262_400_000, 1_795_262_401_000,
    ])
  })

  it("is refused for its header with a way out", () => {
    expect(said("")).toMatch(/^a.csv: it is empty/)
    expect(said("1,2,3\n4,5,6\n")).toMatch(/^a.csv:1: unknown column "1".*The first line names the columns/)
    expect(said("time,requests,eror\n1,2,3\n")).toMatch(/unknown column "eror".*errors/)
    expect(said("\n\ntime,errors\n1,2\n")).toMatch(/^a.csv:3: errors are judged as a share of requests/)
    expect(said("requests,errors\n1,2\n")).toMatch(/no column time/)
    expect(said("time,time,latency\n")).toMatch(/there twice/)
    expect(said("time\n1\n")).toMatch(/nothing to judge/)
    expect(said("time,latency\n1,2\n")).toMatch(/^a.csv: it has 1 rows/)
  })

  it("is refused line by line, at most five at once", () => {
    const header = "time,requests,errors,latency\n"
    const good = "1,10,0,5\n"
    expect(said(`${header}${good}soon,10,0,5\n`)).toBe(
      'a.csv:3: "soon" is not a time: write seconds, milliseconds since 1970, or 2026-11-21T12:00:00Z',
    )
    expect(said(`${header}${good}1,10,0,5\n`)).toMatch(/^a.csv:3: the time 1 is not later/)
    expect(said(`${header}${good}2,10,11,5\n`)).toMatch(/^a.csv:3: 11 errors of 10 requests/)
    expect(said(`${header}${good}2,10.5,1,5\n`)).toMatch(/requests is 10.5: a count is a whole number/)
    expect(said(`${header}${good}2,10,-1,5\n`)).toMatch(/errors is "-1": a number of 0 or more/)
    expect(said(`${header}${good}2,10,1,fast\n`)).toMatch(/latency is "fast"/)
    expect(said(`${header}${good}2,10,1\n`)).toMatch(/3 cells, and the header names 4 columns/)
    expect(said(header + good + "x,1,1,1\n".repeat(9)).split("\n")).toHaveLength(5)
  })
})
