import type { InstanceShare } from "../model/measurement.ts"

/**
 * How much equal instances differ for good: learned from the instances of the control, each against the others of
 * the same interval, so that what moves them all (load, an outage) is not taken for a difference, and summed over
 * intervals, so that what jumps from one interval to the next is not either.
 */
export type Differences = readonly InstanceSum[]

/** One instance so far: what it showed beyond what was due, in the sum of what was due. */
type InstanceSum = {
  readonly id: string
  /** Bad requests that were due, or values that were seen. */
  readonly due: number
  /** Bad requests beyond those due, or the values' logarithms beyond the mean of all instances. */
  readonly beyond: number
  /** Squares of the latter, of values. */
  readonly squares: number
}

export const noDifferences: Differences = []

/** The state must stay small; instances beyond these teach nothing new. */
const mostInstances = 32

/** The spread after one interval of instances that run the same. Fewer than two teach nothing. */
export function addInstances(
  past: Differences,
  kind: "share" | "level",
  seen: readonly InstanceShare[],
): Differences {
  if (seen.length < 2) return past
  const all = seen.reduce((sum, { n }) => sum + n, 0)
  const mean = seen.reduce((sum, each) => sum + each.sum, 0) / all
  if (kind === "share" && !(mean > 0)) return past
  const sums = new Map(past.map((each) => [each.id, each]))
  for (const { id, n, sum, squares } of seen) {
    const known = sums.get(id)
    if (!known && sums.size >= mostInstances) continue
    const before = known ?? { id, due: 0, beyond: 0, squares: 0 }
    sums.set(id, {
      id,
      due: before.due + (kind === "share" ? n * mean : n),
      beyond: before.beyond + sum - n * mean,
      squares: before.squares + (kind === "share" ? 0 : squares - 2 * mean * sum + n * mean * mean),
    })
  }
  return [...sums.values()]
}

/** Guesses at the standard deviation of an instance's effect, as a part of the level, and what is believed of each first. */
const guesses = [
  [0.02, 0.4],
  [0.05, 0.35],
  [0.1, 0.19],
  [0.2, 0.05],
  [0.4, 0.008],
  [0.8, 0.002],
] as const

/** One instance in fifty is broken, and may show anything: it does not tell how far sound ones differ. */
const broken = 0.02
const brokenDeviation = 3

/** Below so many due events an instance's own rate says little, and their median even less. */
const enoughForMedian = 5

/** Before any two instances were held against each other. */
const priors: readonly number[] = guesses.map(([, prior]) => prior)

/** What is believed of each guess after what was seen, summing to 1. `scatter` ≥ 1: how much single values hang together. */
function beliefs(spread: Differences, kind: "share" | "level", scatter: number): readonly number[] {
  const variance = (kind === "share" ? 1 : withinOf(spread)) * scatter
  const effects = spread.map(({ due, beyond }) => ({ effect: beyond / due, worth: due / variance }))
  const centre =
    median(effects.map(({ worth }) => worth)) < enoughForMedian
      ? 0
      : median(effects.map(({ effect }) => effect))
  const logs = guesses.map(([deviation, prior]) =>
    effects.reduce((sum, { effect, worth }) => {
      const off = effect - centre
      const sound = (1 - broken) * density(off, deviation ** 2 + 1 / worth)
      return sum + Math.log(sound + broken * density(off, brokenDeviation ** 2 + 1 / worth))
    }, Math.log(prior)),
  )
  const most = Math.max(...logs)
  const weights = logs.map((log) => Math.exp(log - most))
  const all = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => weight / all)
}

/** Variance of single values of one instance. */
function withinOf(spread: Differences): number {
  const [due, squares] = spread.reduce(
    ([n, sum], each) => [n + each.due, sum + each.squares - each.beyond ** 2 / each.due],
    [0, 0],
  )
  return Math.max(squares / due, 1e-6)
}

/** How many instances either side has; 0 where they are not told apart. */
export type Sides = { readonly canary: number; readonly control: number }

export const areToldApart = ({ canary, control }: Sides): boolean => canary > 0 && control > 0

/** What was learned of how instances differ, or what must be believed while nothing could be learned. */
export type Learned = {
  /** Another sound side is no more than this part worse, but for one chance in 1/`risk`. */
  readonly ratio: number
  /** The same before anything was seen: less cannot be asked of a side of which nothing is known. */
  readonly unseen: () => number
  /** A typical instance lies this part off the others. */
  readonly typical: number
  readonly instances: number
}

/**
 * How much worse than `control` instances as many as `canary` others of the same kind may be, with a probability of
 * `risk` to be wrong. Of fewer than two instances nothing is learned: then it is what is believed of any. Undefined
 * where instances are not told apart: sides of 0, and no two seen.
 */
export function learnedFrom(
  spread: Differences,
  kind: "share" | "level",
  scatter: number,
  sides: Sides,
  risk: number,
): Learned | undefined {
  if (spread.length < 2 && !areToldApart(sides)) return undefined
  const believed = spread.length < 2 ? priors : beliefs(spread, kind, scatter)
  const both = Math.sqrt(1 / Math.max(1, sides.canary) + 1 / Math.max(1, sides.control))
  const typical = Math.sqrt(
    guesses.reduce((sum, [deviation], i) => sum + (believed[i] ?? 0) * deviation ** 2, 0),
  )
  return {
    ratio: ratioWith(believed, both, risk),
    unseen: () => ratioWith(priors, both, risk),
    typical,
    instances: spread.length,
  }
}

/** The ratio that sides which lie `both` deviations apart exceed with this risk. */
function ratioWith(believed: readonly number[], both: number, risk: number): number {
  const beyond = (distance: number) =>
    guesses.reduce(
      (sum, [deviation], i) => sum + (believed[i] ?? 0) * normalTail(distance / (deviation * both)),
      0,
    )
  let [low, high] = [0, 8]
  for (let i = 0; i < 24; i++) {
    const middle = (low + high) / 2
    if (beyond(middle) > risk) low = middle
    else high = middle
  }
  return Math.exp(high) - 1
}

const density = (x: number, variance: number): number =>
  Math.exp(-(x * x) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance)

/** Share of the standard normal distribution above `x` ≥ 0, to 1e-7 (Abramowitz and Stegun, 26.2.17). */
function normalTail(x: number): number {
  const t = 1 / (1 + 0.2316419 * x)
  const sum = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return density(x, 1) * sum
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? upper) + upper) / 2
}
