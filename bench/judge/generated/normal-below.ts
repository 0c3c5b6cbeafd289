/** Share of the standard normal distribution below `x`, to 1e-7 (Abramowitz and Stegun, 26.2.17). */
export function normalBelow(x: number): number {
  const size = Math.abs(x)
  const t = 1 / (1 + 0.2316419 * size)
  const sum = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const above = (Math.exp((-size * size) / 2) / Math.sqrt(2 * Math.PI)) * sum
  return x < 0 ? above : 1 - above
}
