import type { Chance } from "../../src/core/judge/fixtures.ts"
import { chanceFrom, errors } from "../../src/core/judge/fixtures.ts"
import { toldApart } from "../../src/core/judge/instance-share.ts"
import type { JudgeState } from "../../src/core/judge/judge.ts"
import { observe, startJudge, verdicts } from "../../src/core/judge/judge.ts"
import type { Observation } from "../../src/core/model/measurement.ts"
import type { MetricPolicy } from "../../src/core/model/policy.ts"
import { normal, poisson } from "./chance.ts"

/** Good rollouts whose data breaks what a textbook assumes; the whole judge, as it runs. */
export type Null = {
  readonly metric: MetricPolicy
  readonly seconds: number
  readonly intervals: number
  /** One rollout's source of both sides, an interval at a time. */
  readonly start: (chance: Chance) => () => readonly [canary: Observation, control: Observation]
}

const failures: MetricPolicy = { ...errors, tolerateRatio: 0.2, tolerateDelta: 0 }

const cpu: MetricPolicy = { ...failures, name: "cpu", kind: "gauge", tolerateRatio: 0.05 }

const perMinute = 1000
const share = 0.1
const rate = 0.01

const failed = (total: number, bad: number) => ({
  kind: "proportion" as const,
  total,
  bad: Math.min(total, bad),
})

/** Failures come in clusters of this mean size. */
const clustered =
  (size: (chance: Chance) => number, mean: number): Null["start"] =>
  (chance) =>
  () => {
    const side = (part: number) => {
      const total = poisson(chance, perMinute * part)
      let bad = 0
      for (let left = poisson(chance, (perMinute * part * rate) / mean); left > 0; left--) bad += size(chance)
      return failed(total, bad)
    }
    return [side(share), side(1 - share)]
  }

/**
 * Instances that get 500 requests a minute each, of which each fails at a rate of its own for good, told apart as
 * the router tells them; some of them the canary.
 */
const instances =
  (spread: number, canary: number, control: number): Null["start"] =>
  (chance) => {
    const rates = Array.from({ length: canary + control }, () => rate * Math.exp(spread * normal(chance)))
    const side = (from: number, to: number): Observation => {
      const seen = rates.slice(from, to).map((own, i) => {
        const n = poisson(chance, perMinute / 2)
        return { id: `${from + i}`, n, sum: Math.min(n, poisson(chance, n * own)), squares: 0 }
      })
      const sum = (of: (one: (typeof seen)[number]) => number) => seen.reduce((all, one) => all + of(one), 0)
      return {
        ...failed(
          sum(({ n }) => n),
          sum((one) => one.sum),
        ),
        instances: seen,
      }
    }
    return () => [side(0, canary), side(canary, canary + control)]
  }

/**
 * A level of which each sample remembers the last, every 15 seconds; the same law on both sides, which is so wide, and
 * told apart by instance, as values without a name, or as a single value.
 */
const remembering =
  (
    memory: number,
    deviation = 0.05,
    source: "told apart" | "no names" | "one value" = "no names",
  ): Null["start"] =>
  (chance) => {
    const side = (values: readonly number[], first: number): Observation => {
      if (source === "one value") {
        return { kind: "gauge", values: [values.reduce((all, value) => all + value, 0) / values.length] }
      }
      const each = values.map((value, i) => ({
        id: `${first + i}`,
        seen: { kind: "gauge" as const, values: [value] },
      }))
      const all = { kind: "gauge" as const, values }
      return source === "told apart" ? toldApart(all, each) : all
    }
    let levels = Array.from({ length: 4 }, () => normal(chance))
    return () => {
      levels = levels.map((level) => memory * level + Math.sqrt(1 - memory ** 2) * normal(chance))
      const [canary = 0, ...control] = levels.map((level) => 50 * Math.exp(deviation * level))
      return [side([canary], 0), side(control, 1)]
    }
  }

function geometric(chance: Chance): number {
  return Math.ceil(Math.log(1 - chance()) / Math.log(1 - 1 / 5))
}

const hour = { metric: failures, seconds: 60, intervals: 60 }
const level = { metric: cpu, seconds: 15, intervals: 240 }

export const nulls: Readonly<Record<string, Null>> = {
  independent: { ...hour, start: clustered(() => 1, 1) },
  "clusters of 5": { ...hour, start: clustered(() => 5, 5) },
  "clusters of 5 on average, geometric": { ...hour, start: clustered(geometric, 5) },
  "instances that differ by 10 %": { ...hour, start: instances(0.1, 2, 18) },
  "instances that differ by 20 %": { ...hour, start: instances(0.2, 2, 18) },
  "instances that differ by 30 %": { ...hour, start: instances(0.3, 2, 18) },
  "instances that differ by 20 %, four and four": { ...hour, start: instances(0.2, 4, 4) },
  "instances that differ by 20 %, one and three": { ...hour, start: instances(0.2, 1, 3) },
  "instances that differ by 20 %, one and one": { ...hour, start: instances(0.2, 1, 1) },
  "a level that remembers 0": { ...level, start: remembering(0) },
  "a level that remembers 0.5": { ...level, start: remembering(0.5) },
  "a level that remembers 0.9": { ...level, start: remembering(0.9) },
  "a level that remembers 0.95": { ...level, start: remembering(0.95) },
  "a level twice as wide that remembers 0.95, told apart": {
    ...level,
    start: remembering(0.95, 0.1, "told apart"),
  },
  "the same, of instances without names": { ...level, start: remembering(0.95, 0.1) },
  "the same, added up to one value a side": { ...level, start: remembering(0.95, 0.1, "one value") },
}

/** Share of the rollouts that are accused. */
export function accused(
  { metric, seconds, intervals, start }: Null,
  alpha: number,
  rollouts: number,
): number {
  let count = 0
  for (let seed = 1; seed <= rollouts; seed++) {
    const next = start(chanceFrom(seed))
    let state: JudgeState = startJudge([metric], { alpha })
    for (let i = 0; i < intervals; i++) {
      const [canary, control] = next()
      const from = i * seconds * 1000
      state = observe(state, { metric: metric.name, from, to: from + seconds * 1000, canary, control })
      if (verdicts(state).some(({ kind }) => kind === "worse")) {
        count++
        break
      }
    }
  }
  return count / rollouts
}
