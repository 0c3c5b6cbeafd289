/** ln Σ exp(x). */
export function logSum(logs: ArrayLike<number>): number {
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < logs.length; i++) most = Math.max(most, logs[i] ?? most)
  if (!Number.isFinite(most)) return most
  let all = 0
  for (let i = 0; i < logs.length; i++) all += Math.exp((logs[i] ?? 0) - most)
  return most + Math.log(all)
}

const rows = 62

/** An e-process as a mixture over alternatives and over start times, one a minute. */
export class Evidence {
  readonly #log: Float64Array[]
  readonly #weights: readonly number[]
  #started = 0

  constructor(alternatives: number) {
    this.#log = Array.from({ length: rows }, () =>
      new Float64Array(alternatives).fill(-Math.log(alternatives)),
    )
    this.#weights = this.#log.map((_, i) => -Math.log((i + 1) * (i + 2)))
  }

  add(t: number, gains: readonly number[], cap: number): void {
    this.#started = Math.min(rows, Math.floor(t / 60) + 1)
    for (const row of this.#log.slice(0, this.#started))
      for (let i = 0; i < row.length; i++) row[i] = (row[i] ?? 0) + Math.min(gains[i] ?? 0, cap)
  }

  /** Log e-value; a row that has not started counts as 1. */
  value(): number {
    return logSum(this.#log.map((row, i) => (this.#weights[i] ?? 0) + logSum(row)))
  }
}
