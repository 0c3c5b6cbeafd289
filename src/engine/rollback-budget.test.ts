import { describe, expect, it } from "vitest"
import type { Recorded } from "../core/pipeline/events.ts"
import { RollbackBudget } from "./rollback-budget.ts"

const minute = 60_000
const abort: Recorded = {
  at: 0,
  by: "immunity",
  because: "worse",
  event: { type: "abort-started", rollout: 1, because: "worse", to: 0, then: "rolled-back", automatic: true },
}

function budgetOf(...apps: Parameters<RollbackBudget["heard"]>[0][]): RollbackBudget {
  const budget = new RollbackBudget()
  for (const app of apps) budget.heard(app)
  return budget
}

describe("the budget of automatic rollbacks", () => {
  it("is three in ten minutes over all applications", () => {
    const budget = budgetOf({ app: "a", automaticRollbacks: [0, 1] }, { app: "b", automaticRollbacks: [2] })
    expect(budget.spent(9 * minute)).toContain("3 automatic rollbacks in ten minutes")
    expect(budget.spent(10 * minute - 1)).toContain("asks people")
    expect(budget.spent(10 * minute)).toBeUndefined()
  })

  it("hears of what other control planes took before it is drawn on", async () => {
    const budget: RollbackBudget = new RollbackBudget(async () =>
      budget.heard({ app: "d", automaticRollbacks: [3] }),
    )
    budget.heard({ app: "c", automaticRollbacks: [1, 2] })
    expect(budget.takes([abort])).toBe(true)
    expect(budget.spent(minute)).toBeUndefined()
    await budget.hear()
    expect(budget.spent(minute)).toBeDefined()
  })

  it("counts regions that went back together once", () => {
    const budget = budgetOf({ app: "e", automaticRollbacks: [5, 5, 5, 5] })
    expect(budget.spent(minute)).toBeUndefined()
  })

  it("counts what is decided and not stored yet, and gives it back when storing fails", async () => {
    const budget = budgetOf({ app: "f", automaticRollbacks: [1, 2] })
    const failing = budget.during("papi", [{ ...abort, at: 3 }], async () => {
      expect(budget.spent(minute)).toBeDefined()
      throw new Error("the disk is full")
    })
    await expect(failing).rejects.toThrow("the disk is full")
    expect(budget.spent(minute)).toBeUndefined()
  })

  it("counts one once that is being stored while another reader brings it back already", async () => {
    const budget = budgetOf({ app: "papi", automaticRollbacks: [1] })
    await budget.during("papi", [{ ...abort, at: 2 }], async () => {
      budget.heard({ app: "papi", automaticRollbacks: [1, 2] })
      expect(budget.spent(minute)).toBeUndefined()
    })
  })
})
