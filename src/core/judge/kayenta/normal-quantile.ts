/**
 * The quantile of the standard normal distribution, 0 < p < 1, to about 1e-15: Acklam's rational
 * approximation, then one step of Halley's method on the exact distribution.
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a quantile needs a probability between 0 and 1, not ${p}`)
  const rough = approximate(p)
  const error = normalDistribution(rough) - p
  const step = error * Math.sqrt(2 * Math.PI) * Math.exp((rough * rough) / 2)
  return rough - step / (1 + (rough * step) / 2)
}

function approximate(p: number): number {
  if (p > 0.5) return -approximate(1 - p)
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p))
    return polynomial(tail, q) / (polynomial(tailBelow, q) * q + 1)
  }
  const q = p - 0.5
  const r = q * q
  return (polynomial(middle, r) * q) / (polynomial(middleBelow, r) * r + 1)
}

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)

const middle = [
  -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
  2.506628277459239,
]
const middleBelow = [
  -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572,
]
const tail = [
  -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
]
const tailBelow = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416]

/** The share of the standard normal distribution below `x`, x ≤ about 0 here; series, else continued fraction. */
function normalDistribution(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
  const size = Math.abs(x)
  if (size < 3) {
    let term = x
    let sum = x
    for (let i = 1; i < 200 && Math.abs(term) > 1e-18; i++) {
      term *= (x * x) / (2 * i + 1)
      sum += term
    }
    return 0.5 + density * sum
  }
  let fraction = 0
  for (let i = 200; i > 0; i--) fraction = i / (size + fraction)
  const beyond = density / (size + fraction)
  return x < 0 ? beyond : 1 - beyond
}
