import { describe, expect, it } from "vitest"
import { readExposition } from "./exposition.ts"

const everything = () => true
const read = (text: string, openMetrics = false) => readExposition(text, everything, openMetrics)

describe("the text of a metrics page", () => {
  it("is read in Prometheus' format, with times in milliseconds", () => {
    expect(
      read(
        '# HELP x of things\n# TYPE x counter\nx 1\nx{a="b",c="d \\"e\\" \\\\ f\\n",} 2.5e3 1700000000000\n\ny:z{} +Inf\nq NaN\nm -Inf\n',
      ),
    ).toEqual([
      { name: "x", labels: {}, value: 1, at: undefined },
      { name: "x", labels: { a: "b", c: 'd "e" \\ f\n' }, value: 2_500, at: 1_700_000_000_000 },
      { name: "y:z", labels: {}, value: Number.POSITIVE_INFINITY, at: undefined },
      { name: "q", labels: {}, value: Number.NaN, at: undefined },
      { name: "m", labels: {}, value: Number.NEGATIVE_INFINITY, at: undefined },
    ])
  })

  it("is read as OpenMetrics, with times in seconds, exemplars left out, and its end required", () => {
    expect(
      read('x_bucket{le="0.1"} 8 1700000000.5 # {trace="a # b"} 0.07 1699999999\n# EOF\n', true),
    ).toEqual([{ name: "x_bucket", labels: { le: "0.1" }, value: 8, at: 1_700_000_000_500 }])
    expect(() => read("x 1\n", true)).toThrow(/cut off/)
  })

  it("is refused with its line when it is none", () => {
    for (const [text, line] of [
      ["x 1\n<html>\n", 2],
      ["x\n", 1],
      ['x{a="b} 1\n', 1],
      ["x{a=b} 1\n", 1],
      ["x 1 2 3\n", 1],
      ["x eins\n", 1],
      ["x 1 soon\n", 1],
    ] as const)
      expect(() => read(text), text).toThrow(`line ${line} of its text is not a metric`)
  })

  it("is refused when one metric has more series than can be read in passing", () => {
    const many = Array.from({ length: 10_001 }, (_, i) => `x{path="/${i}"} 1`).join("\n")
    expect(() => read(many)).toThrow(/more than 10,000 series of x: count in fewer labels/)
  })

  it("is only read where somebody asks for it", () => {
    expect(readExposition("x eins\ny 1\n", (name) => name === "y", false)).toMatchObject([{ name: "y" }])
  })
})
