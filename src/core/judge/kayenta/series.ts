/** What a series of points looks like in numbers. */
export type SeriesSummary = {
  readonly count: number
  readonly mean: number
  readonly min: number
  readonly max: number
  /** Of the sample (n − 1); 0 for one point. */
  readonly std: number
}

/** NaN everywhere but `count` for an empty series. */
export function summarise(values: readonly number[]): SeriesSummary {
  const count = values.length
  const mean = meanOf(values)
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return {
    count,
    mean,
    min: count === 0 ? Number.NaN : values.reduce((a, b) => Math.min(a, b)),
    max: count === 0 ? Number.NaN : values.reduce((a, b) => Math.max(a, b)),
    std: count === 0 ? Number.NaN : count === 1 ? 0 : Math.sqrt(squares / (count - 1)),
  }
}

/** NaN for an empty series. */
export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** The percentile `p`, 0 to 100, by linear interpolation between ranks. NaN for an empty series. */
export function percentile(values: readonly number[], p: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const place = ((sorted.length - 1) * p) / 100
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (place - Math.floor(place)) * (above - below)
}

export type NanStrategy = "remove" | "replace"

/** Points that are no numbers are dropped, or count as zero. */
export const withoutNaN = (values: readonly number[], strategy: NanStrategy): readonly number[] =>
  strategy === "replace"
    ? values.map((value) => (Number.isNaN(value) ? 0 : value))
    : values.filter((value) => !Number.isNaN(value))
