import {
  binomial,
  type Chance,
  chanceFrom,
  crashed,
  crashes,
  errors,
  latencies,
  latency,
  logNormal,
  requests,
  second,
} from "../../src/core/judge/fixtures.ts"
import { observe, startJudge, verdicts } from "../../src/core/judge/judge.ts"
import type { Observation } from "../../src/core/model/measurement.ts"
import type { MetricPolicy } from "../../src/core/model/policy.ts"

/** A bad release at one look a second: the metric, and what both sides show in a second. */
type Live = {
  readonly metric: MetricPolicy
  readonly second: (chance: Chance) => readonly [canary: Observation, control: Observation]
}

const failing = (canary: number, control: number, from: number, to: number): Live => ({
  metric: errors,
  second: (chance) => [
    requests(canary, binomial(chance, canary, to)),
    requests(control, binomial(chance, control, from)),
  ],
})

const slower = (change: (ms: number) => number): Live => {
  const forty = (chance: Chance, of: (ms: number) => number) =>
    latencies(Array.from({ length: 40 }, () => of(logNormal(chance, 100, 0.8))))
  return { metric: latency, second: (chance) => [forty(chance, change), forty(chance, (ms) => ms)] }
}

/** Four instances a side, of which the canary's crash one after the other every so many seconds. */
const crashing = (every: number): Live => ({
  metric: crashes,
  second: (chance) => [crashed(chance() < 1 / every ? 1 : 0, 4), crashed(0, 4)],
})

export const lives: Readonly<Record<string, Live>> = {
  "errors 0.4 → 8 %, 40 + 40 requests a second": failing(40, 40, 0.004, 0.08),
  "the same, 75 + 75": failing(75, 75, 0.004, 0.08),
  "the same, 40 beside a control of 360": failing(40, 360, 0.004, 0.08),
  "errors 0.1 → 5 %, 75 + 75": failing(75, 75, 0.001, 0.05),
  "every request 100 ms slower, 40 + 40 (log-normal, median 100 ms)": slower((ms) => ms + 100),
  "everything 20 % slower at a margin of 10 %, 40 + 40": slower((ms) => ms * 1.2),
  "a crash about every 2 s, four instances": crashing(2),
  "a crash about every 5 s, four instances": crashing(5),
}

const longest = 120

/** Seconds to the accusation, median and p90 over rollouts; null where fewer are found within two minutes. */
export function secondsToFind({ metric, second: show }: Live, rollouts: number) {
  const found: number[] = []
  for (let seed = 1; seed <= rollouts; seed++) {
    const chance = chanceFrom(seed)
    let state = startJudge([metric])
    for (let i = 0; i < longest; i++) {
      const [canary, control] = show(chance)
      state = observe(state, second(i, metric, canary, control))
      if (!verdicts(state).some(({ kind }) => kind === "worse")) continue
      found.push(i + 1)
      break
    }
  }
  found.sort((a, b) => a - b)
  const at = (share: number) => found[Math.ceil(share * rollouts) - 1] ?? null
  return { median: at(0.5), p90: at(0.9) }
}
