import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Histogram } from "../model/measurement.ts"
import { addPacked, countAt, noCounts, pack, placesOf, roomIn, sumFrom, unpack } from "./packed-counts.ts"

const count = fc.oneof(
  fc.constant(0),
  ...[5, 63, 255, 1023, 8191, 2 ** 26, 2 ** 40].map((max) => fc.integer({ min: 0, max })),
)
const counts = fc.oneof(
  ...[5, 63, 255, 1023, 8191, 2 ** 26].map((max) => fc.array(fc.integer({ min: 0, max }), { maxLength: 40 })),
  fc.array(count, { maxLength: 40 }),
  fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 40 }),
)
/** The same, without the zeros of what room is left. */
const written = (row: readonly number[]) => row.slice(0, row.findLastIndex((one) => one > 0) + 1)

describe("packed counts", () => {
  it("are what was packed, whole or not, small or large", () => {
    fc.assert(
      fc.property(counts, (row) => {
        expect(written(unpack(pack(row)))).toEqual(written(row))
      }),
    )
  })

  it("tell one of them, and the sum from one on, as counts in a row would", () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: -3, max: 50 }), (row, place) => {
        const packed = pack(row)
        expect(countAt(packed, place)).toBe(row[place] ?? 0)
        const from = row.slice(Math.max(0, place))
        expect(sumFrom(packed, place)).toBeCloseTo(
          from.reduce((a, b) => a + b, 0),
          3,
        )
      }),
    )
  })

  it("are what was added to, or say that they have no room", () => {
    fc.assert(
      fc.property(counts, fc.uniqueArray(fc.nat(39), { maxLength: 20 }), fc.array(count), (row, at, by) => {
        const packed = pack(row)
        const added: Histogram = at.sort((a, b) => a - b).map((place, i) => [place + 7, by[i] ?? 1])
        const sums = unpack(packed).slice()
        for (const [bucket, more] of added) sums[bucket - 7] = (sums[bucket - 7] ?? 0) + more
        const next = addPacked(packed, 7, added)
        if (next) {
          expect(unpack(next)).toEqual(sums)
          expect(next.most).toBeGreaterThanOrEqual(Math.max(0, ...sums))
        } else {
          const fits = sums.length <= roomIn(packed) && packed.each > 1
          const limit = packed.each > 1 ? 2 ** Math.floor(53 / packed.each) - 1 : 0
          const most = packed.most + Math.max(0, ...by.slice(0, at.length), 1)
          expect(fits && most <= limit).toBe(false)
        }
      }),
    )
  })

  it("are refused where they do not rise, are not whole, or lie outside", () => {
    const packed = pack([1, 2, 3])
    for (const added of [
      [[1, 1.5]],
      [
        [2, 1],
        [1, 1],
      ],
      [
        [1, 1],
        [1, 1],
      ],
      [[-1, 1]],
      [[8, 1]],
      [[0, -1]],
      [[0, 63]],
    ] as const)
      expect(addPacked(packed, 0, added)).toBeUndefined()
    expect(addPacked(noCounts, 0, [[0, 1]])).toBeUndefined()
  })

  it("tell where their sum reaches a rank, as counts in a row would", () => {
    fc.assert(
      fc.property(
        counts,
        fc.array(fc.double({ min: 0, max: 1.1, noNaN: true }), { maxLength: 6 }),
        (row, levels) => {
          const total = row.reduce((a, b) => a + b, 0)
          const ranks = levels.sort((a, b) => a - b).map((level) => level * total)
          const plain: number[] = []
          for (const rank of ranks) {
            let sum = 0
            const place = row.findIndex((one) => {
              sum += one
              return one > 0 && sum >= rank
            })
            if (place >= 0) plain.push(place)
          }
          expect(placesOf(pack(row), ranks)).toEqual(plain)
        },
      ),
    )
  })
})
