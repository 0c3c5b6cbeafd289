import { execFileSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { afterEach, describe, expect, it } from "vitest"

type Report = {
  readonly summary: {
    readonly totalCruised: number
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[]
  }
}

function cruise(): Report {
  const args = ["--config", ".dependency-cruiser.cjs", "--output-type", "json", "src", "web"]
  try {
    return JSON.parse(
      execFileSync("node_modules/.bin/depcruise", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }),
    ) as Report
  } catch (error) {
    // Violations end it with a code of their own; the report is complete all the same.
    return JSON.parse((error as { stdout: string }).stdout) as Report
  }
}

describe("the layers", () => {
  const planted = "src/core/model/planted-by-a-test.ts"
  afterEach(() => rmSync(planted, { force: true }))

  it("hold, over more than zero modules", () => {
    const { summary } = cruise()
    expect(summary.totalCruised).toBeGreaterThan(100)
    expect(summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`)).toEqual([])
  })

  it("a forbidden import is found", () => {
    writeFileSync(planted, 'import "node:fs"\nimport "../../store/store.ts"\n')
    const rules = cruise()
      .summary.violations.filter(({ from }) => from === planted)
      .map(({ rule }) => rule.name)
    expect(rules).toContain("core-knows-nothing")
    expect(rules).toContain("core-has-no-dependencies")
  })
})
