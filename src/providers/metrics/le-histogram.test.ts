import { describe, expect, it } from "vitest"
import { histogramOf } from "./le-histogram.ts"

const inf = Number.POSITIVE_INFINITY
const totalOf = (found: ReturnType<typeof histogramOf>) => found?.reduce((sum, [, count]) => sum + count, 0)
const upTo = (found: ReturnType<typeof histogramOf>, ms: number) =>
  found?.reduce((sum, [bucket, count]) => sum + (2 ** ((bucket + 1) / 32) <= ms * 1.0001 ? count : 0), 0)

describe("buckets between bounds", () => {
  it("keep every request on its side of every bound", () => {
    const found = histogramOf(
      [
        { le: 0.1, count: 10 },
        { le: inf, count: 100 },
        { le: 0.25, count: 70 },
        { le: 1, count: 95 },
      ],
      1_000,
    )
    expect(totalOf(found)).toBe(100)
    expect(upTo(found, 100 * 1.022)).toBe(10)
    expect(upTo(found, 250 * 1.022)).toBe(70)
    expect(upTo(found, 1_000 * 1.022)).toBe(95)
  })

  it("are spread over their width in whole requests, the last one right above its bound", () => {
    const found = histogramOf(
      [
        { le: 1, count: 0 },
        { le: 2, count: 3 },
        { le: inf, count: 5 },
      ],
      1,
    )
    expect(found).toEqual([
      [5, 1],
      [15, 1],
      [26, 1],
      [32, 2],
    ])
  })

  it("are none when counts fall, when they are no numbers, or without a bound", () => {
    expect(
      histogramOf(
        [
          { le: 1, count: 2 },
          { le: 2, count: 1 },
        ],
        1,
      ),
    ).toBeUndefined()
    expect(
      histogramOf(
        [
          { le: 1, count: Number.NaN },
          { le: 2, count: 1 },
        ],
        1,
      ),
    ).toBeUndefined()
    expect(histogramOf([{ le: inf, count: 2 }], 1)).toBeUndefined()
    expect(
      histogramOf(
        [
          { le: 1, count: 0 },
          { le: inf, count: 0 },
        ],
        1,
      ),
    ).toEqual([])
  })
})
