const bucketsPerOctave = 32
// From 2^-7 ms (8 µs) to 2^21 ms (35 min): what is outside counts at the edge.
const lowest = -7 * bucketsPerOctave
const size = 28 * bucketsPerOctave

/** `[bucket, count]`, sorted: bucket `i` counts values in (2^(i/32), 2^((i+1)/32)] milliseconds. */
export type SparseHistogram = readonly (readonly [bucket: number, count: number])[]

/** The bucket of a value in milliseconds. */
export function bucketOf(ms: number): number {
  // Rounding of log2 must not push an upper edge into the next bucket.
  const bucket = Math.ceil(bucketsPerOctave * Math.log2(ms) - 1e-9) - 1
  return Math.min(Math.max(bucket, lowest), lowest + size - 1)
}

/** Latencies in exponential buckets; histograms of several routers merge by addition. */
export class Histogram {
  #counts: Float64Array | undefined

  add(ms: number): void {
    this.#counts ??= new Float64Array(size)
    const at = bucketOf(ms) - lowest
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  toJSON(): SparseHistogram {
    const found: [number, number][] = []
    this.#counts?.forEach((count, at) => {
      if (count > 0) found.push([at + lowest, count])
    })
    return found
  }
}
