import { describe, expect, it } from "vitest"
import { bucketOf, Histogram } from "./histogram.ts"

describe("a latency histogram", () => {
  it("counts a value in (2^(i/32), 2^((i+1)/32)] ms", () => {
    for (let bucket = -100; bucket < 400; bucket++) {
      const upper = 2 ** ((bucket + 1) / 32)
      expect(bucketOf(upper)).toBe(bucket)
      expect(bucketOf(upper * 1.0001)).toBe(bucket + 1)
    }
    expect(bucketOf(1)).toBe(-1)
  })

  it("counts what is outside at the edge", () => {
    expect(bucketOf(0)).toBe(-224)
    expect(bucketOf(1e12)).toBe(671)
  })

  it("is told as sorted pairs", () => {
    const histogram = new Histogram()
    expect(histogram.toJSON()).toEqual([])
    for (const ms of [8, 1, 8]) histogram.add(ms)
    expect(histogram.toJSON()).toEqual([
      [-1, 1],
      [95, 2],
    ])
  })
})
