import { describe, expect, it } from "vitest"
import type { DecisionTable } from "../model/policy.ts"
import { checkTable } from "./check-table.ts"
import { defaultTable } from "./default-table.ts"

const metrics = [
  { name: "error_rate", critical: true },
  { name: "latency_p95", critical: true },
  { name: "crashes", critical: false },
]
const ids = (table: DecisionTable) => checkTable(table, metrics)?.dead.map(({ rule }) => rule.id)

describe("a decision table is walked through", () => {
  it("the default table has no row that never fires and decides every case", () => {
    const found = checkTable(defaultTable, [...metrics, { name: "cpu", critical: false }])
    expect(found).toMatchObject({ cases: 10 * 10 * 16, dead: [], gaps: 0 })
  })

  it("a row below a more cautious one that matches whatever it matches is dead", () => {
    const found = checkTable(
      {
        fallback: "hold",
        rules: [
          { id: "wide", when: { any: "worse" }, then: "rollback" },
          { id: "narrow", when: { critical: "worse" }, then: "halt" },
        ],
      },
      metrics,
    )
    expect(found?.dead.map(({ rule, hiddenBy }) => [rule.id, hiddenBy.map(({ id }) => id)])).toEqual([
      ["narrow", ["wide"]],
    ])
  })

  it("order never matters for that, except among rows of one action, where the first gives the reason", () => {
    const wide = { id: "wide", when: { any: "worse" }, then: "rollback" } as const
    const narrow = { id: "narrow", when: { critical: "worse" }, then: "halt" } as const
    const same = { id: "same", when: { critical: "worse" }, then: "rollback" } as const
    expect(ids({ fallback: "hold", rules: [narrow, wide] })).toEqual(["narrow"])
    expect(ids({ fallback: "hold", rules: [same, wide] })).toEqual([])
    expect(ids({ fallback: "hold", rules: [wide, same] })).toEqual(["same"])
  })

  it("two rows together can hide a third", () => {
    const rules = [
      { id: "a", when: { any: "worse", control: "ok" }, then: "rollback" },
      { id: "b", when: { any: "worse", control: "bad" }, then: "hold" },
      { id: "c", when: { any: "worse" }, then: "extend" },
    ] as const
    expect(ids({ fallback: "hold", rules })).toEqual(["c"])
  })

  it("what no verdicts of these metrics can bring about is dead without a winner", () => {
    const rules = [{ id: "four", when: { any: "worse", count: 4 }, then: "rollback" }] as const
    expect(checkTable({ fallback: "hold", rules }, metrics)?.dead).toEqual([{ rule: rules[0], hiddenBy: [] }])
  })

  it("the cases that fall to the default are counted, and the first is shown", () => {
    const rules = [{ id: "up", when: { all: "ok" }, then: "advance" }] as const
    const found = checkTable({ fallback: "hold", rules }, metrics)
    expect(found?.gaps).toBe((10 * 4 - 1) * 16)
    expect(found?.gap?.metrics.map(({ kind }) => kind)).toContain("worse")
  })

  it("a named metric is walked through alone, the others by class", () => {
    const rules = [{ id: "leak", when: { metric: { crashes: "worse" } }, then: "rollback" }] as const
    const many = [...metrics, ...["a", "b", "c", "d"].map((name) => ({ name, critical: false }))]
    expect(checkTable({ fallback: "hold", rules }, many)?.cases).toBe(4 * 10 * 35 * 16)
  })

  it("a table too wide to be walked through is said to be so", () => {
    const many = Array.from({ length: 12 }, (_, i) => ({ name: `m${i}`, critical: true }))
    const named = Object.fromEntries(many.map(({ name }) => [name, "worse" as const]))
    expect(
      checkTable({ fallback: "hold", rules: [{ id: "all", when: { metric: named }, then: "halt" }] }, many),
    ).toBeUndefined()
  })
})
