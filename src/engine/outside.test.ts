import { expect, it } from "vitest"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { MeasureSpec } from "../core/pipeline/effects.ts"
import type { MetricQuestion, MetricsSource } from "../ports/metrics.ts"
import { CoreWorld } from "../testing/core-world.ts"
import { Outside } from "./outside.ts"
import { defaultPace } from "./parts.ts"

const queue: MetricPolicy = {
  name: "queue",
  source: { type: "json", url: "http://x", query: "queue", every: 10_000 },
  kind: "gauge",
  worse: "up",
  critical: false,
  tolerateRatio: 0,
  tolerateDelta: 0,
}
const cohort = (pool: string) => ({ route: "papi/prod", pool, mirrored: false, instances: [`${pool}-1`] })
const spec: MeasureSpec = {
  rollout: 2,
  earlier: [],
  region: "prod",
  stage: "shifting",
  step: 0,
  canary: cohort("r2"),
  control: cohort("r1"),
  metrics: [queue],
  minSamples: 0,
  judgeFrom: 0,
}
const outside = (observe: MetricsSource["observe"]) => {
  const out = new Outside("papi", { metrics: { json: { observe } }, pace: defaultPace })
  const ask = (now: number) => out.ask(queue, new CoreWorld().state, spec, now, new AbortController().signal)
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return { ask, take: () => out.take(), settled }
}

it("asks in questions that follow one another, no more often than the metric says", async () => {
  const asked: MetricQuestion[] = []
  const { ask, take, settled } = outside(async (question) => {
    asked.push(question)
    return { kind: "gauge", values: [1] }
  })
  for (let now = 100_000; now <= 125_000; now += 700) {
    ask(now)
    await settled()
  }
  const canary = asked.filter(({ cohort: { pool } }) => pool === "r2")
  expect(canary.map(({ from, to }) => [from, to])).toEqual([
    [90_000, 100_000],
    [100_000, 110_500],
    [110_500, 121_000],
  ])
  expect(take()).toHaveLength(3)
  expect(take()).toEqual([])
})

it("does not wait for one that hangs, nor ask it twice at once", async () => {
  let answer = (): void => undefined
  let asked = 0
  const { ask, take, settled } = outside(async () => {
    asked++
    await new Promise<void>((resolve) => {
      const before = answer
      answer = () => {
        before()
        resolve()
      }
    })
    return { kind: "gauge", values: [1] }
  })
  ask(100_000)
  ask(120_000)
  await settled()
  expect(take()).toEqual([])
  expect(asked).toBe(2)
  answer()
  await settled()
  expect(take()).toMatchObject([{ metric: "queue", from: 90_000, to: 100_000, canary: { values: [1] } }])
})

it("keeps what one side showed when the other could not be seen", async () => {
  const { ask, take, settled } = outside(async ({ cohort: { pool } }) => {
    if (pool === "r2") throw new Error("it answered 500")
    return { kind: "gauge", values: [4] }
  })
  ask(100_000)
  await settled()
  expect(take()).toEqual([
    {
      metric: "queue",
      from: 90_000,
      to: 100_000,
      canary: undefined,
      control: { kind: "gauge", values: [4] },
      blind: "it answered 500",
    },
  ])
})

it("compares no latencies that the two sides count in different buckets", async () => {
  const { ask, take, settled } = outside(async ({ cohort: { pool } }) => ({
    kind: "histogram",
    buckets: [[10, 5]],
    edges: pool === "r2" ? [10, 40] : [10, 20, 40],
  }))
  ask(100_000)
  await settled()
  expect(take()).toEqual([
    {
      metric: "queue",
      from: 90_000,
      to: 100_000,
      blind: "canary and control count queue in different buckets",
    },
  ])
})
