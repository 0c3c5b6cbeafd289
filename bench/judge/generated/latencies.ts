import type { Nature } from "./nature.ts"
import { normalBelow } from "./normal-below.ts"

/** A service's latencies: a few log-normals, one for each sort of request. */
export type Latencies = readonly { readonly share: number; readonly log: number; readonly spread: number }[]

const sets: readonly (readonly number[])[] = [
  [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
  [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000],
  Array.from({ length: 28 }, (_, i) => Math.round(10 * 1.4 ** i) / 10 + i),
]

/** Upper bounds of buckets, in ms. A small change cannot be seen in the widest ones. */
export const boundsFor = (nature: Nature, fine: boolean): readonly number[] =>
  nature.pick(fine ? sets.slice(1) : sets)

export function latenciesFor(nature: Nature, heavy: boolean): Latencies {
  const median = nature.logUniform(8, 80)
  const sorts = nature.whole(2, 4)
  const parts = Array.from({ length: sorts }, () => nature.logUniform(0.1, 1))
  const all = parts.reduce((a, b) => a + b, 0)
  const usual = parts.map((part) => ({
    share: (0.995 * part) / all,
    log: Math.log(median) + 0.7 * nature.normal(),
    spread: nature.uniform(0.25, heavy ? 1.3 : 0.7),
  }))
  return [...usual, { share: 0.005, log: Math.log(median * 12), spread: 0.7 }]
}

type Change = { readonly shape: "shift" | "tail" | "bimodal"; readonly factor: number; readonly part: number }

/** The share of the requests in each bucket, when everything is `scale` times as slow, `paused` of them by `pause` ms. */
export function shares(
  of: Latencies,
  bounds: readonly number[],
  scale: number,
  paused: number,
  pause: number,
  change: Change | undefined,
): readonly number[] {
  const below = (ms: number) =>
    ms <= 0
      ? 0
      : of.reduce(
          (sum, { share, log, spread }) => sum + share * normalBelow((Math.log(ms) - log) / spread),
          0,
        )
  const changed = (ms: number) => {
    const usual = below(ms / scale)
    if (!change) return usual
    const slow = below(ms / scale / change.factor)
    if (change.shape === "shift") return slow
    if (change.shape === "bimodal") return (1 - change.part) * usual + change.part * slow
    return usual <= 1 - change.part ? usual : Math.max(1 - change.part, slow)
  }
  const cumulative = bounds.map((ms) => (1 - paused) * changed(ms) + paused * changed(ms - pause))
  return [...cumulative, 1].map((share, i) => Math.max(0, share - (cumulative[i - 1] ?? 0)))
}

/** Information of one request about the change, in nats. */
export function information(of: Latencies, bounds: readonly number[], change: Change): number {
  const before = shares(of, bounds, 1, 0, 0, undefined)
  return shares(of, bounds, 1, 0, 0, change).reduce((sum, after, i) => {
    const usual = before[i] ?? 0
    return after > 0 && usual > 0 ? sum + after * Math.log(after / usual) : sum
  }, 0)
}
