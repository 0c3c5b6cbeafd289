import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { immunity } from "./support/run.ts"

/** File → where and what it must say. */
const expected: Readonly<Record<string, readonly [place: string, code: string, says: string]>> = {
  "dead-row": ["12:13", "C301", "D1 (rollback) matches too"],
  "dangling-mirror": ["6:44", "C202", 'Did you mean "production"?'],
  duration: ["7:59", "C103", "Write 5m."],
  "listen-twice": ["7:33", "C203", "an address of its own"],
  "missing-start": ["1:1", "C102", "start is missing"],
  "not-supported": ["3:10", "C106", "not supported yet; remove it"],
  "region-twice": ["7:13", "C201", "names are unique"],
  syntax: ["8:1", "C002", "must be sufficiently indented"],
  "tolerance-without-unit": ["8:44", "C104", "needs a unit"],
  "unknown-key": ["3:1", "C101", 'Did you mean "start"?'],
  "unknown-region-key": ["7:39", "C101", 'Did you mean "gate"?'],
  "unknown-test": ["7:61", "C202", 'Did you mean "test"?'],
  "unmeasured-metric": ["11:35", "C202", 'Did you mean "error_rate"?'],
  weights: ["7:61", "C204", "must rise and end at 100%"],
  zone: ["9:64", "C105", "not a time zone"],
}

describe("a broken immunity.yaml", () => {
  it("of every kind is told about", () => {
    expect(readdirSync("test/broken").sort()).toEqual(
      Object.keys(expected)
        .map((name) => `${name}.yaml`)
        .sort(),
    )
  })

  it.each(Object.entries(expected))(
    "%s: line, column, code and a way out",
    async (name, [place, code, says]) => {
      const file = `test/broken/${name}.yaml`
      const { stdout, code: exit } = await immunity(["validate", file])
      const line = stdout.split("\n").find((row) => row.startsWith(`${file}:${place} error[${code}]`))
      expect(line ?? stdout).toContain(says)
      expect(exit).toBe(3)
    },
  )

  it("does not take the example with it", async () => {
    expect(readFileSync("examples/papi/immunity.yaml", "utf8")).toContain("app: papi")
    const { stdout, code } = await immunity(["validate", "examples/papi/immunity.yaml"])
    expect(stdout).toContain("is valid")
    expect(code).toBe(0)
  })
})
