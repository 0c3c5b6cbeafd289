import type { Histogram } from "../model/measurement.ts"

/**
 * Counts side by side, several to a number: what is remembered of a latency are hundreds of small counts, and a number has
 * digits for 53 bits. To add to a count is to add to the number that it lies in. When one outgrows its bits, fewer are put
 * into a number. Counts that are not whole, or beyond 2^26, have a number each.
 */
export type PackedCounts = {
  /** How many counts lie in a number: says which packing it is. */
  readonly each: number
  /** No count is larger; it may be that none is as large. */
  readonly most: number
  readonly numbers: readonly number[]
}

/**
 * A number has two halves below 2^31, where arithmetic of whole numbers is quick: the counts of the low half, `low` of
 * them, come first.
 */
type Packing = {
  readonly each: number
  readonly low: number
  readonly bits: number
  /** All bits of one count: the largest that there is room for. */
  readonly mask: number
  /** What the high half is a multiple of. */
  readonly half: number
  /** What each count is a multiple of. */
  readonly units: readonly number[]
}

const packing = (each: number, low: number, bits: number): Packing => ({
  each,
  low,
  bits,
  mask: 2 ** bits - 1,
  half: 2 ** (bits * low),
  units: Array.from({ length: each }, (_, i) => 2 ** (bits * i)),
})

/** The densest first. */
const packings = [packing(8, 4, 6), packing(6, 3, 8), packing(5, 3, 10), packing(4, 2, 13), packing(2, 1, 26)]
/** Of counts that have a number each. */
const single = packing(1, 1, 0)
const byEach = Array.from({ length: 9 }, (_, each) => packings.find((one) => one.each === each))

/** Undefined where each count has a number. */
const packingOf = ({ each }: PackedCounts): Packing | undefined => byEach[each]

export const noCounts: PackedCounts = { each: 8, most: 0, numbers: [] }

/** How many counts there is room for; the last ones may be zeros that nobody packed. */
export const roomIn = ({ each, numbers }: PackedCounts): number => each * numbers.length

/** Packed as densely as the largest of them allows. */
export function pack(counts: readonly number[]): PackedCounts {
  let most = 0
  let whole = true
  for (const count of counts) {
    if (count > most) most = count
    if (!(Number.isInteger(count) && count >= 0)) whole = false
  }
  const as = whole ? packings.find(({ mask }) => most <= mask) : undefined
  if (!as) return { each: 1, most, numbers: counts }
  const { each, units } = as
  const numbers = new Array<number>(Math.ceil(counts.length / each)).fill(0)
  for (let i = 0; i < counts.length; i++) {
    const at = Math.floor(i / each)
    numbers[at] = (numbers[at] ?? 0) + (counts[i] ?? 0) * (units[i - at * each] ?? 0)
  }
  return { each, most, numbers }
}

/** The counts one by one, and zeros for what room is left. */
export function unpack(counts: PackedCounts): readonly number[] {
  const as = packingOf(counts)
  if (!as) return counts.numbers
  const { each, low, bits, mask, half } = as
  const row: number[] = []
  for (const number of counts.numbers) {
    const above = (number / half) | 0
    let rest = (number - above * half) | 0
    for (let j = 0; j < each; j++) {
      if (j === low) rest = above
      row.push(rest & mask)
      rest >>= bits
    }
  }
  return row
}

/**
 * The counts after these were added, of which the one of bucket `first` belongs to the first count. Undefined when they
 * do not rise, or there may be no room for them: then they are to be unpacked, and packed anew.
 */
export function addPacked(counts: PackedCounts, first: number, added: Histogram): PackedCounts | undefined {
  const as = packingOf(counts)
  if (!as) return undefined
  const { each, mask, units } = as
  const numbers = counts.numbers.slice()
  const room = each * numbers.length
  const share = 1 / each
  let most = 0
  let last = -1
  for (let i = 0; i < added.length; i++) {
    const bucket = added[i]
    if (!bucket) continue
    const at = bucket[0] - first
    const count = bucket[1]
    if (!(at > last && at < room && count >= 0 && count === (count | 0))) return undefined
    last = at
    if (count > most) most = count
    // Half a count off both edges, so that the rounding of the product does not matter.
    const number = ((at + 0.5) * share) | 0
    numbers[number] = (numbers[number] ?? 0) + count * (units[at - number * each] ?? 0)
  }
  most += counts.most
  return most <= mask ? { each, most, numbers } : undefined
}

/** Where the sum of the counts so far reaches each of these ranks, which rise; fewer where it never does. */
export function placesOf(counts: PackedCounts, ranks: readonly number[]): number[] {
  const { numbers } = counts
  const as = packingOf(counts)
  const { each, low, bits, mask, half } = as ?? single
  const found: number[] = []
  let sum = 0
  let rank = ranks[0] ?? 0
  for (let i = 0; i < numbers.length && found.length < ranks.length; i++) {
    const number = numbers[i] ?? 0
    const above = as ? (number / half) | 0 : 0
    const below = as ? (number - above * half) | 0 : 0
    const here = as ? sumOf(below, bits, mask) + sumOf(above, bits, mask) : number
    if (here === 0) continue
    if (sum + here < rank) {
      sum += here
      continue
    }
    let rest = below
    for (let j = 0; j < each; j++) {
      if (j === low) rest = above
      const count = as ? rest & mask : number
      rest >>= bits
      if (count === 0) continue
      sum += count
      while (sum >= rank && found.length < ranks.length) {
        found.push(i * each + j)
        rank = ranks[found.length] ?? 0
      }
    }
  }
  return found
}

/** One of the counts; 0 where there is none. */
export function countAt(counts: PackedCounts, place: number): number {
  const as = packingOf(counts)
  if (!as) return counts.numbers[place] ?? 0
  const number = Math.floor(place / as.each)
  const unit = as.units[place - number * as.each] ?? 1
  return Math.floor((counts.numbers[number] ?? 0) / unit) % (as.mask + 1)
}

/** The sum of the counts from this place on. */
export function sumFrom(counts: PackedCounts, place: number): number {
  const { numbers, each } = counts
  const as = packingOf(counts)
  const whole = Math.ceil(Math.max(0, place) / each)
  let sum = 0
  for (let at = Math.max(0, place); at < whole * each; at++) sum += countAt(counts, at)
  for (let i = whole; i < numbers.length; i++) {
    const number = numbers[i] ?? 0
    const above = as ? (number / as.half) | 0 : 0
    sum += as
      ? sumOf((number - above * as.half) | 0, as.bits, as.mask) + sumOf(above, as.bits, as.mask)
      : number
  }
  return sum
}

function sumOf(half: number, bits: number, mask: number): number {
  let sum = 0
  for (let rest = half | 0; rest > 0; rest >>= bits) sum += rest & mask
  return sum
}
