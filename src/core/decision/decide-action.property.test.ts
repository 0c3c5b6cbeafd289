import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { actionsByCaution, type Rule } from "../model/policy.ts"
import { decideAction, type Situation } from "./decide-action.ts"
import { defaultTable } from "./default-table.ts"

const kind = fc.constantFrom("ok", "worse", "unsure", "nodata")
const someKind = fc.option(kind, { nil: undefined })
const names = ["error_rate", "latency_p95", "crashes"]
const metric = fc.record({ name: fc.constantFrom(...names), kind, critical: fc.boolean() })
const situation: fc.Arbitrary<Situation> = fc.record({
  metrics: fc.uniqueArray(metric, { selector: ({ name }) => name, maxLength: 3 }),
  monitoring: fc.constantFrom("ok", "broken"),
  control: fc.constantFrom("ok", "bad"),
  probes: fc.constantFrom("ok", "failing"),
  reversible: fc.boolean(),
})
const rule: fc.Arbitrary<Rule> = fc.record({
  id: fc.string({ minLength: 1, maxLength: 3 }),
  when: fc.record({
    critical: someKind,
    any: someKind,
    count: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    all: someKind,
    metric: fc.option(fc.dictionary(fc.constantFrom(...names), kind), { nil: undefined }),
    monitoring: fc.constantFrom(undefined, "ok", "broken"),
    control: fc.constantFrom(undefined, "ok", "bad"),
    probes: fc.constantFrom(undefined, "ok", "failing"),
    reversible: fc.constantFrom(undefined, true, false),
  }),
  then: fc.constantFrom(...actionsByCaution),
})
const caution = (
  rules: readonly Rule[],
  now: Situation,
  fallback: (typeof actionsByCaution)[number] = "advance",
) => actionsByCaution.indexOf(decideAction({ fallback, rules }, now).action)

describe("the decision table", () => {
  it("is never made bolder by one more row, wherever it stands", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), rule, fc.nat(5), situation, (rules, added, at, now) => {
        expect(caution(rules.toSpliced(at, 0, added), now)).toBeGreaterThanOrEqual(caution(rules, now))
      }),
    )
  })

  it("never depends on the order of its rows", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), situation, (rules, now) => {
        expect(caution(rules.toReversed(), now, "hold")).toBe(caution(rules, now, "hold"))
      }),
    )
  })

  it("by default never advances unless every metric is ok, and never takes back without something worse or failing", () => {
    fc.assert(
      fc.property(situation, (now) => {
        const { action } = decideAction(defaultTable, now)
        const worse = now.metrics.some((one) => one.kind === "worse")
        if (action === "advance") expect(now.metrics.every((one) => one.kind === "ok")).toBe(true)
        if (action === "rollback") expect(worse || now.probes === "failing").toBe(true)
        if (action === "rollback") expect(now.reversible).toBe(true)
        if (now.metrics.length > 0 && now.monitoring === "broken" && !worse && now.probes === "ok")
          expect(["hold"]).toContain(action)
      }),
    )
  })
})
