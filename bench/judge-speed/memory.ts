import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { JudgeState } from "../../src/core/judge/judge.ts"
import { observe, startJudge } from "../../src/core/judge/judge.ts"
import type { Observation } from "../../src/core/model/measurement.ts"
import type { MetricPolicy } from "../../src/core/model/policy.ts"

/** Bytes that a metric needs: of the heap while it is judged, and written as JSON, which nothing does by itself. */
export type Memory = { readonly heap: number; readonly json: number }

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

function heapUsed(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** Of so many judges with one metric each, after so many intervals. */
export function memoryOf(
  policy: MetricPolicy,
  make: () => Observation,
  judges = 200,
  intervals = 300,
): Memory {
  const states: JudgeState[] = []
  const before = heapUsed()
  for (let j = 0; j < judges; j++) {
    let state = startJudge([policy])
    for (let i = 0; i < intervals; i++) {
      const interval = { metric: policy.name, from: i * 1000, to: (i + 1) * 1000 }
      state = observe(state, { ...interval, canary: make(), control: make() })
    }
    states.push(state)
  }
  const heap = (heapUsed() - before) / judges
  return { heap: Math.round(heap), json: Math.round(Buffer.byteLength(JSON.stringify(states)) / judges) }
}
