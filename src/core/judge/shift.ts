import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import type { Width } from "./level-width.ts"
import { addToWidth, endMinuteOfWidth, median, noWidth, variance } from "./level-width.ts"
import type { Widened } from "./margins.ts"
import { ratioToExclude } from "./margins.ts"
import type { JudgeOptions, Pace } from "./options.ts"

/**
 * Whether a level (CPU, memory, a queue) of the canary lies beyond the control's by more than is tolerated.
 * Samples of a level hang together, so they are averaged over a minute, and minutes are what is weighed:
 * each one's difference of logarithms, in units of how much it jumps from minute to minute. A leak is a
 * difference that grows.
 */
export type Shift = {
  readonly worse: Bets
  readonly fine: Bets
  /** The minute under way: its seconds, and the sum and number of its differences. */
  readonly seconds: number
  readonly sum: number
  readonly count: number
  /** One half of the control's instances against the other, in the minute under way. */
  readonly halves: number
  /** The last full minute's difference. */
  readonly last: number | undefined
  /** Sum of the squared jumps between minutes, halved, and their number. */
  readonly squares: number
  readonly jumps: number
  readonly memory: Memory
  /** How far the instances of a side wander apart. */
  readonly width: Width
  /** Values a side in the last interval. */
  readonly sizes: { readonly canary: number; readonly control: number }
  /** Intervals in which both sides showed something. */
  readonly samples: number
}

/** How much a minute remembers of the one before: sums over neighbouring minutes of the control's halves. */
type Memory = {
  /** The first difference, which is taken off the others: instances differ, and rounding must not tell. */
  readonly first: number | undefined
  readonly last: number | undefined
  readonly minutes: number
  readonly sum: number
  readonly products: number
  readonly squares: number
}

const minute = 60
/** Bets on a shift by so many standard deviations of a minute. */
const steps = [0.25, 0.5, 1, 1.8]
const ourHouse = house([1, 1, 1, 1])
/** Before anything was seen: the standard deviation of a minute's difference, and how many jumps that is worth. */
const usualSpread = 0.045
const worthOfUsual = 8
/** No minute counts for more than so many standard deviations. */
const most = 3
const mostAgainst = 4
/**
 * Nothing is laid on a minute after one that lay so many standard deviations below what is tolerated: a young process that
 * fills its caches would use up the money with which its leak is found later.
 */
const hopeless = 2
/** One minute gives at most this part of a proof, and this much praise. */
const partOfProof = 2 / 3
const mostPraise = 3
/** Neighbouring minutes resemble each other, so their jumps show less than all of their variance. */
const resemblance = 1.5
/** A fair bet on independent normal minutes loses half a square; these are neither, so it loses more. */
const loss = 0.55
const strangestJump = 9
/** Less than this is not excluded before a level is called ok, as a part of the control's. */
const leastExcluded = 0.1

export const openShift: Shift = {
  worse: openBets(ourHouse),
  fine: openBets(ourHouse),
  seconds: 0,
  sum: 0,
  count: 0,
  last: undefined,
  squares: worthOfUsual * usualSpread ** 2,
  jumps: worthOfUsual,
  halves: 0,
  samples: 0,
  width: noWidth,
  sizes: { canary: 0, control: 0 },
  memory: { first: undefined, last: undefined, minutes: 0, sum: 0, products: 0, squares: 0 },
}

export type Levels = { readonly canary: readonly number[]; readonly control: readonly number[] }

/** The evidence after one more interval; undefined levels, as in a warm-up, only let the time pass. */
export function foldShift(
  past: Shift,
  policy: MetricPolicy,
  options: JudgeOptions,
  seen: Levels | undefined,
  pace: Pace,
): Shift {
  const logs = seen && logsOf(seen, policy)
  const difference = logs && differenceOf(logs, policy)
  const sum = past.sum + (difference ?? 0)
  const count = past.count + (difference === undefined ? 0 : 1)
  const halves = past.halves + (seen ? betweenHalves(seen.control, policy) : 0)
  const seconds = past.seconds + pace.seconds
  const samples = past.samples + (difference === undefined ? 0 : 1)
  const width = logs ? addToWidth(past.width, logs) : past.width
  const sizes = logs ? { canary: logs.canary.length, control: logs.control.length } : past.sizes
  if (seconds < minute) return { ...past, sum, count, halves, seconds, samples, width, sizes }
  const next = {
    ...past,
    samples,
    width: endMinuteOfWidth(width),
    sizes,
    sum: 0,
    count: 0,
    halves: 0,
    seconds: 0,
  }
  if (count === 0) return next
  const folded = foldMinute(next, policy, -Math.log(options.alpha), pace, sum / count)
  return { ...folded, memory: remember(past.memory, halves / count) }
}

/** The mean level of every second instance of the control against that of the others. */
function betweenHalves(control: readonly number[], policy: MetricPolicy): number {
  const logs = control.map((value) => Math.log(value + policy.tolerateDelta))
  if (logs.length < 2 || !logs.every(Number.isFinite)) return 0
  const meanOf = (rest: number) => {
    const half = logs.filter((_, i) => i % 2 === rest)
    return half.reduce((a, b) => a + b, 0) / half.length
  }
  return meanOf(0) - meanOf(1)
}

function remember(past: Memory, difference: number): Memory {
  const first = past.first ?? difference
  const now = difference - first
  return {
    first,
    last: now,
    minutes: past.minutes + 1,
    sum: past.sum + now,
    products: past.products + (past.last === undefined ? 0 : past.last * now),
    squares: past.squares + now ** 2,
  }
}

/** Believed of the memory before the control has shown it, and how many minutes that is worth. */
const usualMemory = 0.1
const minutesOfUsual = 5
const strongestMemory = 0.97

/**
 * Autocorrelation of neighbouring minutes, 0 to 1. Few minutes underestimate it by (1 + 3·memory) / minutes,
 * which is given back.
 */
function memoryOf({ minutes, sum, products, squares }: Memory): number {
  const mean = minutes > 0 ? sum / minutes : 0
  const variance = squares - minutes * mean ** 2
  if (minutes < 3 || variance <= 0) return usualMemory
  const raw = (products - (minutes - 1) * mean ** 2) / variance
  const corrected = Math.max(0, raw) + (1 + 3 * Math.max(0, raw)) / minutes
  const believed = (minutes * corrected + minutesOfUsual * usualMemory) / (minutes + minutesOfUsual)
  return Math.min(strongestMemory, believed)
}

/** Beyond this the last minute tells nearly all of the next one. */
const tooStrong = 0.93
/** Minutes of the control from which on its memory is known well enough to say so. */
const enoughMinutes = 20

/** The control's minutes are so alike that hours would be needed to compare. */
export const isMemoryTooStrong = ({ memory }: Shift): boolean =>
  memory.minutes >= enoughMinutes && memoryOf(memory) > tooStrong

/** Feared of the memory where nothing shows it, and how many minutes that is worth against what was seen. */
const suspectedMemory = 0.8
const minutesOfSuspicion = 10
/** So many typical chances must fit into what is tolerated before anybody is accused. */
const chancesToFit = 2
/** The variance of a median of many, as a multiple of that of their mean, lies between 1.3 and 1.6. */
const ofMedian = 1.4

/**
 * By how much two sides that are equally good typically lie apart by chance, on average over all that was seen, as a
 * logarithm: as wide as their instances wander, and as few values of their own as the minutes are worth that remember
 * each other. Undefined where no two instances of a side were seen at once.
 */
function chanceOf({ width, memory, sizes }: Shift): number | undefined {
  const one = variance(width)
  if (one === undefined) return undefined
  const { minutes } = memory
  const suspected =
    (minutes * memoryOf(memory) + minutesOfSuspicion * suspectedMemory) / (minutes + minutesOfSuspicion)
  const alike = Math.min(1, (1 + suspected) / (1 - suspected) / minutes)
  return Math.sqrt(one * alike * (1 / sizes.canary + (sizes.control > 2 ? ofMedian : 1) / sizes.control))
}

/** How far two equal sides lie apart by chance, and what is tolerated of it, as parts of the level. */
export type Chance = { readonly apart: number; readonly tolerated: number }

/**
 * Chance alone may well reach what is tolerated, or what must be excluded where nothing is. Undefined when it does not,
 * or when nothing shows how far it reaches.
 */
export function lostInChance(shift: Shift, policy: Widened): Chance | undefined {
  const { tolerated, excluded } = limitsOf(policy)
  const chance = chanceOf(shift) ?? 0
  const limit = tolerated > 0 ? tolerated : excluded
  return chancesToFit * chance > limit
    ? { apart: Math.exp(chance) - 1, tolerated: Math.exp(limit) - 1 }
    : undefined
}

/** How much more than independent samples the mean of many varies: samples of a minute count as one. */
export function scatterOfLevel({ memory, samples }: Shift): number {
  const m = memoryOf(memory)
  return Math.max(1, samples / Math.max(1, memory.minutes)) * ((1 + m) / (1 - m))
}

function foldMinute(past: Shift, policy: MetricPolicy, proof: number, pace: Pace, difference: number): Shift {
  const spread = Math.sqrt(past.squares / past.jumps)
  const memory = memoryOf(past.memory)
  // One value for all of the control has no halves that would show its memory, so the worst is feared.
  const accusing = past.sizes.control < 2 ? Math.max(memory, suspectedMemory) : memory
  const bet = (limit: number, sign: 1 | -1, memory: number) => {
    // What is new in this minute, and how much that varies: jumps show 1 − memory of a minute's variance.
    const news = past.last === undefined ? 1 / Math.sqrt(1 - memory) : Math.sqrt(1 + memory)
    const remembered = past.last === undefined ? 0 : memory * (past.last - limit)
    const fresh = difference - limit - remembered
    const z = Math.max(-mostAgainst, Math.min(most, (sign * fresh) / (spread * news)))
    return steps.map((step) => step * z - loss * step * step)
  }
  const { tolerated, excluded } = limitsOf(policy)
  const staked = past.last === undefined || past.last > tolerated - hopeless * spread
  const jump = past.last === undefined ? undefined : difference - past.last
  const square = jump === undefined ? 0 : Math.min(strangestJump * spread ** 2, (resemblance * jump ** 2) / 2)
  return {
    ...past,
    worse: staked
      ? settle(past.worse, ourHouse, bet(tolerated, 1, accusing), partOfProof * proof)
      : past.worse,
    fine: settle(past.fine, ourHouse, bet(excluded, -1, memory), mostPraise, pace.praiseCeiling),
    last: difference,
    squares: past.squares + square,
    jumps: past.jumps + (jump === undefined ? 0 : 1),
  }
}

/** Log e-value that the canary's level is worse. */
export const logShift = ({ worse }: Shift): number => worse.log

/** A worse level is excluded, at the alpha of promotion. */
export const isShiftExcluded = ({ fine }: Shift, promotionAlpha: number): boolean =>
  fine.log >= -Math.log(promotionAlpha)

/** What is tolerated and what must be excluded for an ok, as parts of the control's level. */
export const partsOf = (policy: Widened) => ({
  tolerated: policy.tolerateRatio,
  excluded: Math.max(leastExcluded, 2 * ratioToExclude(policy)),
})

function limitsOf(policy: MetricPolicy): { readonly tolerated: number; readonly excluded: number } {
  const { tolerated, excluded } = partsOf(policy)
  return { tolerated: Math.log(1 + tolerated), excluded: Math.log(1 + excluded) }
}

/**
 * Both sides on a logarithmic scale. A tolerated difference is added to all levels, so that those near 0 can be compared.
 * Undefined where a side showed nothing, or a level without a logarithm.
 */
function logsOf({ canary, control }: Levels, policy: MetricPolicy): Levels | undefined {
  if (canary.length === 0 || control.length === 0) return undefined
  const logOf = (value: number) => Math.log(value + policy.tolerateDelta)
  const logs = { canary: canary.map(logOf), control: control.map(logOf) }
  return [...logs.canary, ...logs.control].every(Number.isFinite) ? logs : undefined
}

/** How far the canary's mean lies beyond the control's median; one noisy instance of the control does not move a median. */
function differenceOf({ canary, control }: Levels, policy: MetricPolicy): number {
  const beyond = canary.reduce((a, b) => a + b, 0) / canary.length - median(control)
  return policy.worse === "up" ? beyond : -beyond
}
