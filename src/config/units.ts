const factors = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `30s` → 30000. The schema has checked the form. */
export function durationOf(text: string): number {
  const found = /^([0-9.]+)(ms|s|m|h|d)$/.exec(text)
  return found ? Math.round(Number(found[1]) * factors[found[2] as keyof typeof factors]) : 0
}

/** `5%` → 0.05. */
export const shareOf = (text: string): number => Number(text.replace(/ ?%$/, "")) / 100

/** `5/min` → 5. */
export const perMinuteOf = (text: string): number => Number.parseFloat(text)

export type Amount = { readonly value: number; readonly relative: boolean }

/** `10%` is relative to the control; `0.2pp`, `20ms`, `300MB` are absolute, in fractions, ms, MB. */
export function amountOf(text: string): Amount {
  const found = /^([0-9.]+) ?(%|pp|ms|s|MB)$/.exec(text)
  const number = Number(found?.[1] ?? 0)
  switch (found?.[2]) {
    case "%":
      return { value: number / 100, relative: true }
    case "pp":
      return { value: number / 100, relative: false }
    case "s":
      return { value: number * 1_000, relative: false }
    default:
      return { value: number, relative: false }
  }
}

/** `256MB` → bytes. */
export const bytesOf = (text: string): number =>
  Number.parseInt(text, 10) * (text.endsWith("GB") ? 1024 ** 3 : 1024 ** 2)
