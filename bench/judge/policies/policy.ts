import type { Decision, Header, Obs } from "../../../src/main/judge-stream/contract.ts"
import type { Label } from "../set.ts"

/** A judge in this process: told what each tick added, it answers. Only the oracle may read the label. */
export interface Policy {
  tick(t: number, end: boolean, added: readonly Obs[]): Decision
}

export type MakePolicy = (header: Header, label: Label) => Policy

export const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Bucket by bucket. */
export const addUp = (counts: readonly (readonly number[])[]): readonly number[] =>
  counts.reduce<number[]>((total, some) => some.map((count, i) => count + (total[i] ?? 0)), [])

export const total = (some: readonly Obs[], field: "errors" | "total" | "events" | "exposure"): number =>
  sum(some.map((obs) => obs[field] ?? 0))

export const histogramsOf = (some: readonly Obs[]): readonly (readonly number[])[] =>
  some.flatMap(({ counts }) => (counts ? [counts] : []))

/** Finite values of gauges. */
export const valuesOf = (some: readonly Obs[]): readonly number[] =>
  some.flatMap(({ value }) => (typeof value === "number" && Number.isFinite(value) ? [value] : []))

/** As Prometheus' histogram_quantile: straight inside a bucket, the last finite bound beyond it. */
export function histogramQuantile(
  q: number,
  le: readonly (number | "+Inf")[],
  counts: readonly number[],
): number {
  const rank = q * sum(counts)
  let below = 0
  let i = 0
  while (i < counts.length - 1 && below + (counts[i] ?? 0) < rank) below += counts[i++] ?? 0
  if (i >= le.length - 1) return Number(le.at(-2))
  const low = i === 0 ? 0 : Number(le[i - 1])
  const share = (rank - below) / Math.max(counts[i] ?? 0, 1e-12)
  return low + (Number(le[i]) - low) * share
}

export const byMetricAndRole = (some: readonly Obs[]): Map<string, Obs[]> =>
  Map.groupBy(some, ({ metric, role }) => `${metric} ${role}`)
