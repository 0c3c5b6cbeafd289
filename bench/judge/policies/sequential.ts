import type { Obs, StreamMetric } from "../../../src/main/judge-stream/contract.ts"
import { logSum } from "./evidence.ts"
import { LatencyTests } from "./histogram.ts"
import { LevelTest } from "./level.ts"
import type { MakePolicy } from "./policy.ts"
import { addUp, byMetricAndRole, histogramsOf, total, valuesOf } from "./policy.ts"
import { Rates } from "./rates.ts"

const proof = Math.log(100)
const usualDispersion: Readonly<Record<string, number>> = {
  http_errors: 1.7,
  checkout_errors: 1.7,
  restarts: 1,
  http_latency_ms: 1.5,
}

type Test = {
  add(t: number, canary: readonly Obs[], control: readonly Obs[], warm: boolean): void
  value(): number
}

/**
 * E-processes, weighed together. `guarded`: with margins, measured overdispersion, a cap on what one
 * tick may add and patience in the warm-up. Without: as a textbook runs them.
 */
function sequentialWith(guarded: boolean): MakePolicy {
  return (header) => {
    const tests = header.metrics.map((metric) => ({ metric, test: testOf(metric, guarded) }))
    const weight = ({ critical }: StreamMetric) => (critical ? 2 : 1)
    const all = header.metrics.reduce((sum, metric) => sum + weight(metric), 0)
    return {
      tick(t, end, added) {
        const by = byMetricAndRole(added)
        const warm = guarded && t <= header.warmup_s
        for (const { metric, test } of tests) {
          const [canary, control] = [by.get(`${metric.name} canary`), by.get(`${metric.name} control`)]
          if (canary && control) test.add(t, canary, control, warm)
        }
        const logs = tests.map(({ metric, test }) => test.value() + Math.log(weight(metric) / all))
        if (logSum(logs) >= proof) return "rollback"
        return end ? "promote" : "hold"
      },
    }
  }
}

function testOf(metric: StreamMetric, guarded: boolean): Test {
  const { kind, name, direction } = metric
  const { rel, abs } = guarded ? metric.margin : { rel: 0, abs: 0 }
  const dispersion = guarded ? (usualDispersion[name] ?? 1.2) : 1
  const cap = guarded ? 3 : Number.POSITIVE_INFINITY
  if (kind === "latency-histogram") {
    const test = new LatencyTests(metric.le ?? [], dispersion, cap, guarded)
    return {
      add: (t, canary, control, warm) =>
        test.add(t, addUp(histogramsOf(canary)), addUp(histogramsOf(control)), warm ? 3 : 1 + rel),
      value: () => test.value(),
    }
  }
  if (kind === "gauge") {
    const test = new LevelTest(rel)
    return {
      add: (t, canary, control, warm) => {
        if (!warm) test.add(t, valuesOf(canary), valuesOf(control))
      },
      value: () => test.value(),
    }
  }
  const wobble = guarded ? (kind === "proportion" ? 0.1 : 0.05) : 0
  const up = direction === "increase-is-bad"
  const test = new Rates({ rel, abs, up, dispersion, cap, wobble, learn: guarded })
  const [k, n] = kind === "proportion" ? (["errors", "total"] as const) : (["events", "exposure"] as const)
  return {
    add: (t, canary, control, warm) =>
      test.add(t, total(canary, k), total(canary, n), total(control, k), total(control, n), {
        abs: warm && kind === "proportion" ? 0.02 : 0,
      }),
    value: () => test.value(),
  }
}

export const sequential = sequentialWith(true)
export const textbook = sequentialWith(false)
