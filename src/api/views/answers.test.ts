import { expect, it } from "vitest"
import type { MetricPolicy } from "../../core/model/policy.ts"
import { newest, served } from "../../testing/core-stories.ts"
import { papiPolicy } from "../../testing/core-world.ts"
import { answersOf } from "./answers.ts"

const answers: MetricPolicy = {
  name: "answers",
  source: { type: "answers", ask: [], accept: ["body.total"], every: 2_000 },
  kind: "answers",
  worse: "up",
  critical: false,
  tolerateRatio: 0,
  tolerateDelta: 0,
}

it("answers are told of where a region is mirrored, and nowhere else", () => {
  const world = served(papiPolicy({ metrics: [answers] }))
  const told = (region: string) => answersOf(world.state, newest(world, region))
  expect(told("sandbox2")).toMatchObject({ compared: 0, accepted: ["body.total"] })
  expect([told("sandbox1"), told("prod3")]).toEqual([undefined, undefined])
})
