export type Summary = {
  readonly n: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Percentiles by the nearest rank. */
export function summary(times: readonly number[]): Summary {
  const sorted = [...times].sort((a, b) => a - b)
  const rank = (share: number) =>
    Number((sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN).toFixed(2))
  return { n: sorted.length, p50Ms: rank(0.5), p99Ms: rank(0.99), maxMs: rank(1) }
}
