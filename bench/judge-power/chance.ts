export type Chance = () => number

/** mulberry32: the same numbers for the same seed. */
export function chanceFrom(seed: number): Chance {
  let a = (seed * 0x9e3779b1) >>> 0
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

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
