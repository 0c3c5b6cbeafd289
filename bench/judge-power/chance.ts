import type { Chance } from "../../src/core/judge/fixtures.ts"

/** Requests up to and including the next one that fails. */
export const untilFailure = (chance: Chance, rate: number): number =>
  Math.ceil(Math.log(1 - chance()) / Math.log(1 - rate))

export const normal = (chance: Chance): number =>
  Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())

/** Events of a Poisson process in an interval in which `mean` are due. */
export function poisson(chance: Chance, mean: number): number {
  if (mean > 500) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(chance)))
  let count = 0
  for (let left = -mean; ; count++) {
    left -= Math.log(1 - chance())
    if (left > 0) return count
  }
}
