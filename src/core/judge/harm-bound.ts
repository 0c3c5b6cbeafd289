import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import { effectsOf } from "./effects.ts"
import type { Pace } from "./options.ts"
import { riskRatioLogEs } from "./risk-ratio.ts"
import type { Tally } from "./tally.ts"

/** What failures beyond the control's are excluded, and how much traffic the route carries. */
export type HarmBound = {
  /** The smallest d, as a fraction of the requests, for which p1 >= p0 + d is excluded; 1 before any evidence. */
  readonly upTo: number
  /** Requests a minute of both sides, lately. */
  readonly perMinute: number
}

/** One e-process per d, and the traffic, both from judged intervals only. */
export type HarmState = {
  readonly against: readonly Bets[]
  readonly requests: number
  readonly seconds: number
}

/** The differences that may be excluded, falling. */
const harmGrid = [
  0.5, 0.35, 0.2, 0.15, 0.1, 0.07, 0.05, 0.035, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.0035, 0.002, 0.0015,
  0.001, 0.0007, 0.0005, 0.0002, 0.0001,
] as const

const effects = effectsOf([0.05, 0.3, 0.6, 0.8, 0.9, 0.95])
const rules = house([1, 1, 1, 1, 1, 1])

/** Traffic is counted over about this long, so that a rush is met within a minute. */
const memorySeconds = 60

export const openHarm: HarmState = { against: harmGrid.map(() => openBets(rules)), requests: 0, seconds: 0 }

/** The evidence after one interval in which both sides were measured. */
export function foldHarm(past: HarmState, tally: Tally, phi: number, pace: Pace): HarmState {
  const keep = Math.exp(-pace.seconds / memorySeconds)
  const counted = {
    requests: past.requests * keep + tally.n1 + tally.n0,
    seconds: past.seconds * keep + pace.seconds,
  }
  if (tally.n1 <= 0 || tally.n0 <= 0) return { ...past, ...counted }
  const against = harmGrid.map((d, i) => {
    const logEs = riskRatioLogEs(tally, { r: 1, d }, effects, phi)
    return settle(past.against[i] ?? openBets(rules), rules, logEs, pace.praise, pace.praiseCeiling)
  })
  return { ...counted, against }
}

/**
 * What the evidence excludes now, at `alpha` for each d. Larger differences must be excluded as well: the
 * grid is walked from the top. Undefined before any traffic was counted.
 */
export function harmBoundOf({ against, requests, seconds }: HarmState, alpha: number): HarmBound | undefined {
  if (!(seconds > 0 && requests > 0)) return undefined
  let upTo = 1
  for (const [i, d] of harmGrid.entries()) {
    const bets = against[i]
    if (!bets || bets.log < -Math.log(alpha)) break
    upTo = d
  }
  return { upTo, perMinute: (requests / seconds) * 60 }
}
