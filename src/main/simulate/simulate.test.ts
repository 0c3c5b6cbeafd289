import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it, vi } from "vitest"
import { Stop } from "../../cli/client.ts"
import { simulate } from "./simulate.ts"

const folder = mkdtempSync(join(tmpdir(), "immunity-simulate-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

const file = (name: string, errors: (minute: number) => number): string => {
  const path = join(folder, name)
  const rows = Array.from({ length: 60 }, (_, i) => `${(i + 1) * 60},1000,${errors(i)},${100 + (i % 7)}`)
  writeFileSync(path, `time,requests,errors,latency\n${rows.join("\n")}\n`)
  return path
}
const control = file("control.csv", (i) => 8 + ((i * 7919) % 5))
const good = file("good.csv", (i) => 8 + (((i + 2) * 7919) % 5))
const bad = file("bad.csv", (i) => (i < 20 ? 10 : 80))

const run = (canary: string, more: object = {}) => {
  const printed: string[] = []
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed.push(String(text))
    return true
  })
  const tolerate = { tolerateErrors: "20%,0.5pp", tolerateLatency: "25%,20ms" }
  try {
    simulate({ canary, control, ...tolerate, ...more })
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    return { printed: "", code: error.code, said: error.message }
  }
  return { printed: printed.join(""), code: process.exitCode, said: "" }
}

describe("immunity simulate", () => {
  it("answers in one sentence, plots both sides, and ends with the answer's code", () => {
    const worse = run(bad)
    expect(worse.code).toBe(5)
    const [answer, ...plot] = worse.printed.split("\n")
    expect(answer).toMatch(
      /^Worse: Immunity would have rolled back after 2\d min, at row 2\d of 60 \(errors: .* failed, control .* is tolerated\)\.$/,
    )
    expect(plot.join("\n")).toMatch(/errors {3}● canary[\s\S]*│[\s\S]*▲ proved worse[\s\S]*latency/)
    expect(plot.every((line) => line.length <= 120)).toBe(true)
    expect(run(good)).toMatchObject({
      code: 0,
      printed: expect.stringMatching(/^Good: Immunity would have let it/),
    })
  })

  it("tells programs the same, and draws a picture that stands alone", () => {
    const svg = join(folder, "plot.svg")
    const { printed, code } = run(bad, { json: true, svg })
    expect(code).toBe(5)
    expect(JSON.parse(printed)).toMatchObject({
      answer: "worse",
      rows: 60,
      verdicts: [{ metric: "errors" }, {}],
    })
    const picture = readFileSync(svg, "utf8")
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<title>Worse: /)
    expect(picture.match(/<polyline/g)).toHaveLength(4)
    expect(picture).toContain("proved worse after")
    expect(picture).not.toMatch(/NaN|undefined|https?:\/\/(?!www\.w3\.org)/)
  })

  it("can be told how much worse is tolerated", () => {
    expect(run(bad, { tolerateErrors: "20pp" }).code).toBe(0)
    expect(run(bad, { tolerateErrors: "a lot" })).toMatchObject({
      code: 2,
      said: expect.stringMatching(/is not an amount such as 20%/),
    })
  })

  it("says what is wrong with a file, and with its line", () => {
    expect(run(join(folder, "none.csv"))).toMatchObject({
      code: 2,
      said: expect.stringMatching(/none\.csv does not exist$/),
    })
    const broken = join(folder, "broken.csv")
    writeFileSync(broken, "time,requests,errors\n60,10,1\n120,10,11\n")
    expect(run(broken)).toMatchObject({
      code: 2,
      said: `${broken}:3: 11 errors of 10 requests: errors are some of the requests`,
    })
    const later = join(folder, "later.csv")
    writeFileSync(later, "time,requests,errors\n1790000000,10,1\n1790000060,10,1\n")
    expect(run(later).said).toMatch(/no row of .* first times are 2026-.* and 60 s/)
    const other = join(folder, "other.csv")
    writeFileSync(other, "time,requests,errors\n60,10,1\n120,10,1\n")
    const latency = join(folder, "latency.csv")
    writeFileSync(latency, "time,latency\n60,10\n120,10\n")
    expect(run(other, { control: latency }).said).toMatch(/share neither errors nor latency/)
  })
})
