import { describe, expect, it } from "vitest"
import { histogramOf } from "./le-histogram.ts"

const inf = Number.POSITIVE_INFINITY

describe("buckets between bounds", () => {
  it("keep every request at the bound that is known of it, what is beyond all an octave further", () => {
    const found = histogramOf(
      [
        { le: 0.128, count: 10 },
        { le: inf, count: 100 },
        { le: 0.256, count: 70 },
        { le: 1.024, count: 95 },
      ],
      1_000,
    )
    expect(found).toEqual({
      kind: "histogram",
      edges: [223, 255, 319],
      buckets: [
        [223, 10],
        [255, 60],
        [319, 25],
        [351, 5],
      ],
    })
  })

  it("tell where they can tell requests apart, also where nothing was counted", () => {
    const quiet = [
      { le: 1, count: 0 },
      { le: 2, count: 0 },
      { le: inf, count: 0 },
    ]
    expect(histogramOf(quiet, 1)).toEqual({ kind: "histogram", edges: [-1, 31], buckets: [] })
  })

  it("are none when counts fall, when they are no numbers, or without a bound", () => {
    const two = (a: number, b: number) => [
      { le: 1, count: a },
      { le: 2, count: b },
    ]
    expect(histogramOf(two(2, 1), 1)).toBeUndefined()
    expect(histogramOf(two(Number.NaN, 1), 1)).toBeUndefined()
    expect(histogramOf([{ le: inf, count: 2 }], 1)).toBeUndefined()
  })
})
