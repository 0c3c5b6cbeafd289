export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]]
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2
}

/** Pair by pair: what was measured in the same round belongs together. */
export const ratios = (own: readonly number[], other: readonly number[]): readonly number[] =>
  own.map((value, at) => value / (other[at] ?? Number.NaN))

export const rounded = (value: number): number => Number(value.toPrecision(4))
