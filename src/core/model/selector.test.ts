import { describe, expect, it } from "vitest"
import { readSelector, selects } from "./selector.ts"

const picks = (selector: string, labels: Record<string, string>) => selects(readSelector(selector), labels)

describe("a selector", () => {
  it("picks series by their labels, in PromQL's words", () => {
    expect(readSelector("up").name).toBe("up")
    expect(picks("x", { code: "500" })).toBe(true)
    expect(picks('x{code="500"}', { code: "500" })).toBe(true)
    expect(picks('x{code="5.0"}', { code: "500" })).toBe(false)
    expect(picks('x{code=~"5..", method!="GET"}', { code: "503", method: "PUT" })).toBe(true)
    expect(picks('x{code=~"5..",method!="GET",}', { code: "503", method: "GET" })).toBe(false)
    expect(picks("x{code!~'2..|3..'}", { code: "404" })).toBe(true)
    expect(picks('x{code=~"50"}', { code: "500" })).toBe(false)
    expect(picks('x{path="a\\"b"}', { path: 'a"b' })).toBe(true)
  })

  it("takes an absent label for an empty one", () => {
    expect(picks('x{code=""}', {})).toBe(true)
    expect(picks('x{code!=""}', {})).toBe(false)
  })

  it("refuses functions and half a selector, and says what to write", () => {
    expect(() => readSelector("rate(x[5m])")).toThrow(/without functions/)
    expect(() => readSelector("x{code=500}")).toThrow(/is not label="value"/)
    expect(() => readSelector('x{code="500" method="GET"}')).toThrow(/is not label="value"/)
    expect(() => readSelector('x{code=~"["}')).toThrow(/is not a regular expression/)
  })

  it("refuses patterns that could be made to run for ever", () => {
    for (const pattern of ["(a+)+", "(a|b)*c", ".*.*.*", "a{1,9}", "(?=a)b"])
      expect(() => readSelector(`x{a=~"${pattern}"}`), pattern).toThrow(/too free/)
    expect(picks('x{path=~"/api/.*|[*+]"}', { path: "/api/a" })).toBe(true)
  })
})
