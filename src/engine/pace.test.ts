import { expect, it } from "vitest"
import { untilNextLook } from "./parts.ts"

it("cheap looks follow each other soon, dear ones take at most a fifth of the time, and none waits longer than before", () => {
  const pace = { busy: 200, soon: 40 }
  expect([0, 5, 10, 20, 50, 900].map((took) => untilNextLook(pace, took))).toEqual([40, 40, 40, 80, 200, 200])
  expect([0, 5, 900].map((took) => untilNextLook({ busy: 200 }, took))).toEqual([200, 200, 200])
})
