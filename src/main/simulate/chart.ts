import type { Pair } from "./pair-rows.ts"
import type { Row } from "./read-csv.ts"

/** One metric over time, ready to be drawn. */
export type Chart = {
  readonly title: string
  readonly unit: "%" | "ms"
  readonly canary: readonly Dot[]
  readonly control: readonly Dot[]
  /** When it was proved worse. */
  readonly proved: number | undefined
  readonly from: number
  readonly to: number
  /** The largest value shown, never 0. */
  readonly top: number
}

export type Dot = { readonly at: number; readonly value: number }

/** At most so many dots a side: neighbours are put together, errors as a share of all their requests. */
const mostDots = 400

export function chartOf(metric: string, pairs: readonly Pair[], proved: number | undefined): Chart {
  const [first, last] = [pairs[0], pairs.at(-1)]
  const each = Math.max(1, Math.ceil(pairs.length / mostDots))
  const groups = Array.from({ length: Math.ceil(pairs.length / each) }, (_, i) =>
    pairs.slice(i * each, (i + 1) * each),
  )
  const dots = (side: "canary" | "control") =>
    groups.flatMap((group): readonly Dot[] => {
      const rows = group.flatMap((pair) => pair[side] ?? [])
      const value = metric === "errors" ? share(rows) : mean(rows)
      return value === undefined ? [] : [{ at: group.at(-1)?.to ?? 0, value }]
    })
  const [canary, control] = [dots("canary"), dots("control")]
  const top = [...canary, ...control].reduce((most, { value }) => Math.max(most, value), 0)
  return {
    title: metric,
    unit: metric === "errors" ? "%" : "ms",
    canary,
    control,
    proved,
    from: first?.from ?? 0,
    to: last?.to ?? 1,
    top: top > 0 ? top : 1,
  }
}

/** `8.1 %`, `120 ms`. */
export function label(value: number, unit: Chart["unit"]): string {
  const number = unit === "%" ? value * 100 : value
  const digits = number === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2
  return `${number.toFixed(digits)} ${unit}`
}

/** `45 s`, `12 min`, `3.5 h`. */
export function span(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return `${Number((ms / 3_600_000).toFixed(1))} h`
}

function share(rows: readonly Row[]): number | undefined {
  const seen = rows.filter(({ requests, errors }) => requests !== undefined && errors !== undefined)
  const total = seen.reduce((sum, { requests = 0 }) => sum + requests, 0)
  return total > 0 ? seen.reduce((sum, { errors = 0 }) => sum + errors, 0) / total : undefined
}

function mean(rows: readonly Row[]): number | undefined {
  const seen = rows.flatMap(({ latency }) => (latency === undefined ? [] : [latency]))
  return seen.length > 0 ? seen.reduce((a, b) => a + b) / seen.length : undefined
}
