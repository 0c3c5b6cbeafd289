import { expect, it } from "vitest"
import { sameData } from "./same-data.ts"

it("finds the same data in other objects, also where something undefined is written out", () => {
  const a = { app: "papi", regions: [{ name: "prod", weights: { 1: 100 } }], paused: undefined }
  const b = { regions: [{ weights: { 1: 100 }, name: "prod" }], app: "papi" }
  expect(sameData(a, b)).toBe(true)
  expect(sameData(b, a)).toBe(true)
})

it("finds every difference: another value, one more, one less, another kind", () => {
  const a = { locks: [{ id: 1 }], quarantine: {} }
  expect(sameData(a, { locks: [{ id: 2 }], quarantine: {} })).toBe(false)
  expect(sameData(a, { locks: [{ id: 1 }, { id: 2 }], quarantine: {} })).toBe(false)
  expect(sameData(a, { locks: [], quarantine: {} })).toBe(false)
  expect(sameData(a, { locks: [{ id: 1 }], quarantine: { bad: true } })).toBe(false)
  expect(sameData(a, { locks: { 0: { id: 1 } }, quarantine: {} })).toBe(false)
  expect(sameData(undefined, a)).toBe(false)
  expect(sameData(null, {})).toBe(false)
})
