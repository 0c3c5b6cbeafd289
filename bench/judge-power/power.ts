import type { House } from "../../src/core/judge/bets.ts"
import { openBets, settle } from "../../src/core/judge/bets.ts"
import { chanceFrom } from "../../src/core/judge/fixtures.ts"
import { failureBets } from "../../src/core/judge/proportion.ts"
import { riskRatioLogEs } from "../../src/core/judge/risk-ratio.ts"
import type { Cell } from "./bound.ts"
import { leastRequests } from "./bound.ts"
import { untilFailure } from "./chance.ts"

/**
 * The test alone, without margin, noise and cap, looking at every request. Wealth changes only when one
 * fails, so looking after each failure is looking after each request.
 */
function firstProof(cell: Cell, alpha: number, seed: number, failures: number): number | undefined {
  const { effects, rules } = failureBets
  const { p0, p1, weight } = cell
  const chance = chanceFrom(seed)
  const rate = weight * p1 + (1 - weight) * p0
  const gain = (k1: number) =>
    riskRatioLogEs({ n1: weight, k1, n0: 1 - weight, k0: 1 - k1 }, { r: 1, d: 0 }, effects, 1)
  const gains = [gain(0), gain(1)] as const
  let bets = openBets(rules)
  let requests = 0
  for (let failure = 0; failure < failures; failure++) {
    requests += untilFailure(chance, rate)
    const onCanary = chance() < (weight * p1) / rate
    bets = settle(bets, rules satisfies House, gains[onCanary ? 1 : 0], Number.POSITIVE_INFINITY)
    if (bets.log >= -Math.log(alpha)) return requests
  }
  return undefined
}

/** Mean requests to a proof, in units of the bound, over so many rollouts. */
export function ratioToBound(cell: Cell, alpha: number, rollouts: number): number {
  let sum = 0
  for (let seed = 1; seed <= rollouts; seed++) {
    const requests = firstProof(cell, alpha, seed, 100_000)
    if (requests === undefined) throw new Error(`rollout ${seed} of ${JSON.stringify(cell)} never ended`)
    sum += requests
  }
  return sum / rollouts / leastRequests(cell, alpha)
}

/** Share of good rollouts accused within so many failures, looking at every request. */
export function falseAlarms(weight: number, alpha: number, rollouts: number, failures: number): number {
  let accused = 0
  for (let seed = 1; seed <= rollouts; seed++)
    if (firstProof({ p0: 0.01, p1: 0.01, weight }, alpha, seed, failures) !== undefined) accused++
  return accused / rollouts
}
