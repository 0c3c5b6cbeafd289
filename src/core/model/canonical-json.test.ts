import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { canonicalJson } from "./canonical-json.ts"

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled)
  if (value === null || typeof value !== "object") return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, shuffled(field)]),
  )
}

describe("canonical JSON", () => {
  it("spells a value the same way whatever the order of its keys, and means the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(shuffled(value))).toBe(text)
        expect(canonicalJson(JSON.parse(text))).toBe(text)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it("leaves out what is undefined, and sorts at every depth", () => {
    expect(canonicalJson({ b: 1, a: [{ d: undefined, c: null, b: "x" }], "": true })).toBe(
      '{"":true,"a":[{"b":"x","c":null}],"b":1}',
    )
  })

  it("refuses, naming the place, what JSON would silently turn into something else", () => {
    expect(() => canonicalJson({ a: [{ b: Number.NaN }] })).toThrow("value.a[0].b is NaN")
    expect(() => canonicalJson({ a: Number.NEGATIVE_INFINITY })).toThrow("value.a is -Infinity")
    expect(() => canonicalJson([undefined])).toThrow("value[0] is of type undefined")
    expect(() => canonicalJson({ a: 1n })).toThrow("value.a is of type bigint")
    expect(() => canonicalJson({ a: new Map() })).toThrow("value.a is a Map, not plain data")
    const endless: { self?: unknown } = {}
    endless.self = endless
    expect(() => canonicalJson(endless)).toThrow(/nested deeper than 200 levels/)
  })
})
