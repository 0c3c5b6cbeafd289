import { meanOf, percentile } from "./series.ts"

/**
 * Which points lie outside Tukey's fences, `factor` interquartile ranges beyond the quartiles. With
 * `reduceSensitivity` the fences never lie inside the first and the last percentile.
 */
export function outsideFences(
  values: readonly number[],
  factor: number,
  reduceSensitivity: boolean,
): readonly boolean[] {
  const [first, third] = [percentile(values, 25), percentile(values, 75)]
  const reach = factor * (third - first)
  const lower = first - reach
  const upper = third + reach
  const low = reduceSensitivity ? Math.min(percentile(values, 1), lower) : lower
  const high = reduceSensitivity ? Math.max(percentile(values, 99), upper) : upper
  return values.map((value) => value < low || value > high)
}

/** Which points lie more than `k` standard deviations (of the population) from the mean. */
export function beyondSigmas(values: readonly number[], k: number): readonly boolean[] {
  const mean = meanOf(values)
  const sigma = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)))
  return values.map((value) => Math.abs(value - mean) > k * sigma)
}

/** The points of which `marked` is not true. */
export const unmarked = (values: readonly number[], marked: readonly boolean[]): readonly number[] =>
  values.filter((_, i) => !marked[i])
