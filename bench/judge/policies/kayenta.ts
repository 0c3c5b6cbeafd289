import type { Obs, Role, StreamMetric } from "../../../src/main/judge-stream/contract.ts"
import type { MakePolicy } from "./policy.ts"
import { addUp, byMetricAndRole, histogramQuantile, histogramsOf, sum, total, valuesOf } from "./policy.ts"

const marginal = 75
const passing = 95
/** The normal quantile at 0.99: a two-sided confidence of 98 %. */
const z = 2.3263478740408408
const tolerance = 0.25

type Grade = "pass" | "fail" | "nodata"

/**
 * NetflixACAJudge as its users set it up: one value a minute, role and metric; Mann-Whitney; judged
 * every `every` seconds over all so far; 75 or less ends it, the last score must reach 95.
 */
export function kayenta(every: number): MakePolicy {
  return (header) => {
    const values = new Map<string, number[]>()
    let minute: readonly Obs[] = []
    let next = every
    const put = (series: string, role: Role, value: number) => {
      const key = `${series} ${role}`
      values.set(key, [...(values.get(key) ?? []), value])
    }
    const closeMinute = () => {
      const by = byMetricAndRole(minute)
      for (const metric of header.metrics) {
        for (const role of ["canary", "control"] as const) {
          for (const [series, value] of valuesPerMinute(metric, by.get(`${metric.name} ${role}`) ?? []))
            put(series, role, value)
        }
      }
      minute = []
    }
    const score = (): number => {
      const grades: Grade[] = []
      for (const metric of header.metrics) {
        for (const series of seriesOf(metric)) {
          const own = (role: Role) => values.get(`${series} ${role}`) ?? []
          const grade = classify(own("control"), own("canary"), metric.direction === "increase-is-bad")
          if (grade === "fail" && metric.critical) return 0
          grades.push(grade)
        }
      }
      const known = grades.filter((grade) => grade !== "nodata")
      if ((grades.length - known.length) * 2 >= grades.length) return 0
      return (100 * known.filter((grade) => grade === "pass").length) / known.length
    }
    return {
      tick(t, end, added) {
        minute = [...minute, ...added]
        if (t % 60 === 0) closeMinute()
        if (t < next && !end) return "hold"
        next += every
        const now = score()
        if (now <= marginal) return "rollback"
        if (!end) return "hold"
        return now >= passing ? "promote" : "rollback"
      },
    }
  }
}

const seriesOf = ({ name, kind }: StreamMetric): readonly string[] =>
  kind === "latency-histogram" ? [`${name}:p50`, `${name}:p99`] : [name]

function valuesPerMinute(
  metric: StreamMetric,
  mine: readonly Obs[],
): readonly (readonly [series: string, value: number])[] {
  const { name, kind } = metric
  const ratio = (k: number, n: number) => (n > 0 ? [[name, k / n] as const] : [])
  if (kind === "proportion") return ratio(total(mine, "errors"), total(mine, "total"))
  if (kind === "count") return ratio(total(mine, "events"), total(mine, "exposure"))
  if (kind === "gauge") return ratio(sum(valuesOf(mine)), valuesOf(mine).length)
  const counts = addUp(histogramsOf(mine))
  if (sum(counts) === 0) return []
  const at = (q: number) => histogramQuantile(q, metric.le ?? [], counts)
  return [
    [`${name}:p50`, at(0.5)],
    [`${name}:p99`, at(0.99)],
  ]
}

function classify(control: readonly number[], canary: readonly number[], up: boolean): Grade {
  if (control.length === 0 || canary.length === 0) return "nodata"
  const sorted = (some: readonly number[]) => [...some].sort((a, b) => a - b)
  if (String(sorted(control)) === String(sorted(canary))) return "pass"
  if (new Set([...control, ...canary]).size === 1) return "pass"
  const shifts = sorted(canary.flatMap((a) => control.map((b) => a - b)))
  const [n, m] = [canary.length, control.length]
  const half = z * Math.sqrt((n * m * (n + m + 1)) / 12) + 0.5
  const k = Math.floor((n * m) / 2 - half)
  const low = k >= 0 ? (shifts[k] ?? 0) : Number.NEGATIVE_INFINITY
  const high = k >= 0 ? (shifts[shifts.length - 1 - k] ?? 0) : Number.POSITIVE_INFINITY
  const middle = ((shifts[(shifts.length - 1) >> 1] ?? 0) + (shifts[shifts.length >> 1] ?? 0)) / 2
  const bound = tolerance * Math.abs(middle)
  const [a, b] = [sum(canary) / n, sum(control) / m]
  const effect = a !== 0 && b !== 0 ? a / b : undefined
  const worse = up
    ? low > bound && !(effect !== undefined && effect < 1)
    : high < -bound && !(effect !== undefined && effect > 1)
  return worse ? "fail" : "pass"
}
