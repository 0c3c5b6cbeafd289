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

function inUse(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Of so many judges with one metric each, after so many intervals. */
export function memoryOf(
  policy: MetricPolicy,
  make: () => Observation,
  judges = 500,
  intervals = 300,
): Memory {
  const judged = (): JudgeState => {
    let state = startJudge([policy])
    for (let i = 0; i < intervals; i++) {
      const interval = { metric: policy.name, from: i * 1000, to: (i + 1) * 1000 }
      state = observe(state, { ...interval, canary: make(), control: make() })
    }
    return state
  }
  // What the machine learns of the code itself, and forgets of what ran before, is no part of it.
  for (let i = 0; i < judges / 5; i++) judged()
  const before = inUse()
  const states = Array.from({ length: judges }, judged)
  const heap = (inUse() - before) / judges
  return { heap: Math.round(heap), json: Math.round(Buffer.byteLength(JSON.stringify(states)) / judges) }
}
