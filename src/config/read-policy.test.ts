import { describe, expect, it } from "vitest"
import type { Policy } from "../core/model/policy.ts"
import { type Read, readPolicy } from "./read-policy.ts"

const short = `version: 1
app: papi
start: node server.js
regions:
  - { name: sandbox, listen: 8101 }
  - { name: production, listen: 8102, gate: button }
metrics: http
`
const read = (text: string, pins?: string): Read =>
  readPolicy(text, { file: "immunity.yaml", pins, now: Date.parse("2026-11-21T12:00Z") })
const policyOf = (found: Read): Policy => {
  if ("problems" in found) throw new Error(found.problems.map(({ message }) => message).join("\n"))
  return found.policy
}
const codesOf = (found: Read): readonly string[] =>
  "problems" in found ? found.problems.map(({ code }) => code) : found.warnings.map(({ code }) => code)

describe("the short form", () => {
  it("means one copy, the own router's metrics, the default table, and a person before anything advances", () => {
    const policy = policyOf(read(short))
    expect(policy.regions.map(({ name, size, strategy }) => [name, size, strategy])).toEqual([
      ["sandbox", 1, "blue-green"],
      ["production", 1, "one-at-a-time"],
    ])
    expect(policy.metrics.map(({ name }) => name)).toContain("error_rate")
    expect(policy.decisions.fallback).toBe("hold")
    expect(policy.run.drain).toBe(20_000)
    expect(policy.lock.on).toEqual(["halt", "rollback"])
  })

  it("reads the same twice: the same text is the same policy", () => {
    expect(policyOf(read(short))).toEqual(policyOf(read(short)))
  })
})

describe("what the server pins", () => {
  it("keeps a gate that a commit dropped", () => {
    const dropped = short.replace(", gate: button", "")
    expect(policyOf(read(dropped)).regions[1]?.gate).toBeUndefined()
    const pinned = policyOf(read(dropped, "regions:\n  production: { gate: button }\n"))
    expect(pinned.regions[1]?.gate).toBeDefined()
  })

  it("wins over autonomy, decisions and locks of the file", () => {
    const bold = `${short}autonomy: { default: auto, rollback: manual }\nlock: { on: [] }\ndecisions:\n  default: advance\n  rules:\n    - { id: D1, when: {}, then: advance }\n`
    const pins =
      "autonomy: { default: manual, rollback: auto }\nlock: { on: [rollback] }\ndecisions:\n  default: hold\n  rules:\n    - { id: P1, when: { any: worse }, then: rollback }\n"
    const policy = policyOf(read(bold, pins))
    expect(policy.autonomy).toMatchObject({ advance: "manual", rollback: "auto" })
    expect(policy.lock.on).toEqual(["rollback"])
    expect(policy.decisions.rules.map(({ id }) => id)).toEqual(["P1"])
  })

  it("refuses a commit that renames a pinned region away", () => {
    const renamed = short.replace("name: production", "name: prod")
    expect(codesOf(read(renamed, "regions:\n  production: { gate: button }\n"))).toEqual(["C206"])
  })

  it("is told of when it is broken itself, with its place", () => {
    const found = read(short, "regions:\n  production: { gaet: button }\n")
    expect("problems" in found && found.problems[0]).toMatchObject({
      file: "the server's policy",
      code: "C101",
      line: 2,
    })
  })
})

describe("the decision table of a file", () => {
  const table = (rules: string, rest = "  default: hold\n") => `${short}decisions:\n${rest}  rules:\n${rules}`

  it("without a default tells how many cases fall through, and one of them", () => {
    const found = read(table("    - { id: D1, when: { all: ok }, then: advance }\n", ""))
    expect(codesOf(found)).toEqual(["C302"])
    const [warning] = "warnings" in found ? found.warnings : []
    expect(warning?.message).toMatch(/\d+ of \d+ cases match no row .* the first: .*worse/)
  })

  it("that repeats itself is warned of, not refused", () => {
    const rules =
      "    - { id: D1, when: { any: worse }, then: rollback }\n    - { id: D2, when: { critical: worse }, then: rollback }\n    - { id: D3, when: { all: ok }, then: advance }\n"
    expect(codesOf(read(table(rules)))).toEqual(["C307"])
  })
})
