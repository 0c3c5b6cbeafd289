import type { DecisionTable } from "../model/policy.ts"

/**
 * The table of an application that brings none: a reconstruction of the one in Encora's article on
 * cluster immune systems, whose picture is lost.
 */
export const defaultTable: DecisionTable = {
  fallback: "hold",
  rules: [
    { id: "D1", when: { critical: "worse", control: "ok", reversible: true }, then: "rollback" },
    { id: "D2", when: { any: "worse", count: 2, control: "ok", reversible: true }, then: "rollback" },
    { id: "D3", when: { any: "worse", control: "ok" }, then: "halt" },
    {
      id: "D4",
      when: { any: "worse", control: "bad" },
      then: "hold",
      because: "the world is sick, not the release",
    },
    {
      id: "D5",
      when: { monitoring: "broken" },
      then: "hold",
      because: "what cannot be seen is never passed and never failed",
    },
    {
      id: "D6",
      when: { any: "nodata", probes: "failing", reversible: true },
      then: "rollback",
      because: "nothing can be measured and the instances themselves fail: independent evidence",
    },
    { id: "D7", when: { any: "nodata" }, then: "hold", because: "a metric has no data" },
    { id: "D8", when: { any: "unsure" }, then: "extend" },
    { id: "D9", when: { all: "ok" }, then: "advance" },
  ],
}
