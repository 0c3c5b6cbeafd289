import type { ToldShare } from "../model/measurement.ts"
import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import type { Dispersion } from "./dispersion.ts"
import { scatterOf, usualDispersion, withSplit } from "./dispersion.ts"
import { effectsOf } from "./effects.ts"
import { riskRatioLogEs } from "./risk-ratio.ts"
import { percent } from "./words.ts"

/**
 * Whether canary and control really got the requests that the router was told to give them ("sample ratio
 * mismatch"). Where they did not, someone chose which requests the canary got, and rates of unlike requests are
 * compared.
 */
export type Split = {
  readonly more: Bets
  readonly fewer: Bets
  readonly dispersion: Dispersion
  readonly canary: number
  readonly all: number
  /** Requests that were due on the canary. */
  readonly due: number
}

const ratios = effectsOf([1.3, 2, 6])
const ourHouse = house([1, 1, 1])

/** A share this much off its odds is a mistake of nobody: a connection kept, an instance replaced. */
const tolerated = 1.25
/** Users who are kept on their side send unequally many requests. */
const toleratedOfUsers = 2.5

/** Good rollouts of which this is ever said, and how much one look may add to it. */
const alpha = 0.001
const proof = -Math.log(alpha)
const atOnce = proof / 3

export const noSplit: Split = {
  more: openBets(ourHouse),
  fewer: openBets(ourHouse),
  dispersion: usualDispersion,
  canary: 0,
  all: 0,
  due: 0,
}

/** So large that counts never come near it: weights have no number of their own. */
const exposure = 1e9

/** The test after one interval with so many requests on either side. */
export function addTraffic(past: Split, told: ToldShare, canary: number, control: number): Split {
  const all = canary + control
  if (all === 0 || !(told.share > 0 && told.share < 1)) return past
  const n = { canary: told.share * exposure, control: (1 - told.share) * exposure }
  const phi = scatterOf(past.dispersion)
  const r = told.sticky ? toleratedOfUsers : tolerated
  const test = (bets: Bets, of: "canary" | "control") => {
    const [n1, k1, n0, k0] =
      of === "canary" ? [n.canary, canary, n.control, control] : [n.control, control, n.canary, canary]
    const logEs = riskRatioLogEs({ n1, k1, n0, k0 }, { r, d: 0 }, ratios, phi)
    return settle(bets, ourHouse, logEs, atOnce)
  }
  return {
    more: test(past.more, "canary"),
    fewer: test(past.fewer, "control"),
    dispersion: withSplit(
      past.dispersion,
      { n1: n.canary, k1: canary, n0: n.control, k0: control },
      "exposure",
    ),
    canary: past.canary + canary,
    all: past.all + all,
    due: past.due + told.share * all,
  }
}

export type Mismatch = {
  /** The canary got fewer requests than it was due. A router that leaves out what fails looks just so. */
  readonly starved: boolean
  readonly because: string
}

/** Undefined as long as the split may be what was told. */
export function mismatchOf({ more, fewer, canary, all, due }: Split): Mismatch | undefined {
  const starved = fewer.log >= proof
  if (!starved && more.log < proof) return undefined
  return {
    starved,
    because:
      `the canary got ${percent(canary / all)} of the requests where the router was told ${percent(due / all)}: ` +
      "the two sides cannot be compared",
  }
}
