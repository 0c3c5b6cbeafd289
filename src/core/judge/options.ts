import type { Duration } from "../model/time.ts"

export type JudgeOptions = {
  /** Probability that a good release is ever accused, over all metrics and all looks. */
  readonly alpha: number
  /** Probability that a metric beyond its promotion margin is ever called ok. */
  readonly promotionAlpha: number
  /** Canary requests below which neither proportion nor latency is called ok. */
  readonly minSamples: number
  /** There is no control: the first deploy, or after 100 %. Only absolute targets are judged then. */
  readonly solo: boolean
  /** Whether a bound on extra failures is kept as well, for a ramp. */
  readonly harm?: boolean | undefined
}

/** One false alarm in two hundred rollouts at most. */
export const defaultAlpha = 0.005

const defaults: JudgeOptions = { alpha: defaultAlpha, promotionAlpha: 0.05, minSamples: 100, solo: false }

/** Throws a RangeError on an alpha that is no probability or a negative minSamples. */
export function withDefaults(given: Partial<JudgeOptions>): JudgeOptions {
  const options = {
    alpha: given.alpha ?? defaults.alpha,
    promotionAlpha: given.promotionAlpha ?? defaults.promotionAlpha,
    minSamples: given.minSamples ?? defaults.minSamples,
    solo: given.solo ?? defaults.solo,
    ...(given.harm ? { harm: true } : {}),
  }
  for (const name of ["alpha", "promotionAlpha"] as const) {
    if (options[name] > 0 && options[name] < 1) continue
    throw new RangeError(
      `judge: ${name} is ${options[name]}, but it is a probability: give a number between 0 and 1, e.g. ${defaults[name]}`,
    )
  }
  if (!(options.minSamples >= 0)) {
    throw new RangeError(`judge: minSamples is ${options.minSamples}: give a number of requests, 0 or more`)
  }
  return options
}

/** How long an interval was and how much it may add, in natural logarithms. */
export type Pace = {
  readonly seconds: number
  readonly accusation: number
  readonly praise: number
  readonly praiseCeiling: number
}

// Two seconds of the worst evidence must stay short of a proof, three may suffice: requests of one
// moment fail together (a pause, a dropped connection), and before a history of the control tells how
// much, this is the only guard. It is per second so that looking twice as often does not loosen it.
const secondsShortOfProof = 2.1

// Praise beyond this is given up: a regression that sets in late must not first use up a good past.
const praiseToSpare = 3

export function paceOf({ alpha, promotionAlpha }: JudgeOptions, length: Duration): Pace {
  const seconds = length / 1000
  const share = seconds > 0 ? Math.min(1, seconds) : 1
  const proof = -Math.log(alpha)
  const proofOfPraise = -Math.log(promotionAlpha)
  return {
    seconds,
    accusation: (share * proof) / secondsShortOfProof,
    praise: (share * proofOfPraise) / secondsShortOfProof,
    praiseCeiling: proofOfPraise + praiseToSpare,
  }
}
