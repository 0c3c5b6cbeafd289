/** The 95 % interval of Clopper and Pearson for k of n. */
export function interval(k: number, n: number): readonly [low: number, high: number] {
  if (n === 0) return [0, 1]
  const low = k === 0 ? 0 : solve((p) => 1 - atMost(k - 1, n, p) - 0.025)
  const high = k === n ? 1 : solve((p) => 0.025 - atMost(k, n, p))
  return [low, high]
}

/** P(Binomial(n, p) ≤ k). */
function atMost(k: number, n: number, p: number): number {
  if (p <= 0) return 1
  if (p >= 1) return k >= n ? 1 : 0
  let log = n * Math.log1p(-p)
  let sum = Math.exp(log)
  for (let i = 1; i <= k; i++) {
    log += Math.log((n - i + 1) / i) + Math.log(p) - Math.log1p(-p)
    sum += Math.exp(log)
  }
  return Math.min(1, sum)
}

/** Where a rising function of a probability crosses 0. */
function solve(f: (p: number) => number): number {
  let [low, high] = [0, 1]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (f(middle) > 0) high = middle
    else low = middle
  }
  return (low + high) / 2
}

/** The q-quantile of what is given, straight between neighbours; null of nothing. */
export function quantile(values: readonly number[], q: number): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const at = q * (sorted.length - 1)
  const low = sorted[Math.floor(at)] ?? 0
  return low + ((sorted[Math.ceil(at)] ?? low) - low) * (at - Math.floor(at))
}
