/** `1,204`. */
export function grouped(n: number): string {
  const whole = String(Math.round(n))
  return whole.length < 4 ? whole : whole.replace(/\B(?=(\d{3})+$)/g, ",")
}

/** Three significant digits without an exponent: `0.004`, `8.1`, `123`. */
export function short(n: number): string {
  if (n === 0 || !Number.isFinite(n)) return String(n)
  if (Math.abs(n) >= 100) return grouped(n)
  const decimals = Math.min(8, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(n)))))
  return String(Number(n.toFixed(decimals)))
}

/** A fraction as people write it: `8.1 %`, `0.04 %`. */
export function percent(fraction: number): string {
  const n = fraction * 100
  if (n === 0) return "0 %"
  const decimals = n >= 1 ? 1 : Math.min(8, 1 - Math.floor(Math.log10(Math.abs(n))))
  return `${Number(n.toFixed(decimals))} %`
}

export const milliseconds = (ms: number): string => `${short(ms)} ms`

/** `p95`, `p99.9`. */
export const quantileName = (q: number): string => `p${Number((q * 100).toFixed(3))}`
