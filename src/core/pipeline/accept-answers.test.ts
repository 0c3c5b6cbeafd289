import { describe, expect, it } from "vitest"
import { active, newest, served } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { MetricPolicy } from "../model/policy.ts"

const answers: MetricPolicy = {
  name: "answers",
  source: { type: "answers", ask: [], accept: ["body.at"] },
  kind: "answers",
  worse: "up",
  critical: false,
  tolerateRatio: 0,
  tolerateDelta: 0,
}
const base = papiPolicy()
const policy = papiPolicy({ metrics: [...base.metrics, answers] })
const ok = verdict("ok", true)

/** A second release is compared in the mirrored sandbox. */
function mirroring(commit = "b2", world: CoreWorld = served(policy)): CoreWorld {
  world.push(commit, policy)
  for (let turns = 0; turns < 50; turns++) {
    world.turn()
    if (active(world, "sandbox2")?.phase.name === "mirroring") return world
    if (active(world, "sandbox1")) world.look([ok])
  }
  throw new Error(`sandbox2 is ${newest(world, "sandbox2").phase.name}`)
}

const accept = (world: CoreWorld, paths: readonly string[], rollout = newest(world, "sandbox2").number) =>
  world.give({ type: "accept-answers", rollout, paths, reason: "prices in cents" }, "Mira")

function takenBack(world: CoreWorld): void {
  world.give({ type: "rollback", rollout: newest(world, "sandbox2").number, reason: "later" })
  world.settle()
  for (const { id } of world.state.locks)
    world.give({ type: "unlock", lock: id, reason: "go on", preventive: "x" })
}

const judgedBy = (world: CoreWorld): readonly string[] | undefined => {
  const found = world
    .measures()
    .flatMap(({ metrics }) => metrics)
    .find(({ kind }) => kind === "answers")
  return found?.source.type === "answers" ? found.source.accept : undefined
}

describe("a change of answers that a person accepts", () => {
  it("counts no more for this release, besides what its commit accepted, and says who and why", () => {
    const world = mirroring()
    expect(judgedBy(world)).toEqual(["body.at"])
    expect(accept(world, ["body.price", "GET /items body.tax", "body.price"]).refused).toBeUndefined()
    expect(world.events.at(-1)).toMatchObject({
      by: "Mira",
      because: "prices in cents",
      event: { type: "answers-accepted", paths: ["body.price", "GET /items body.tax"] },
    })
    expect(judgedBy(world)).toEqual(["body.at", "body.price", "GET /items body.tax"])
  })

  it("is kept with the release over a retry, and holds for no other one", () => {
    const world = mirroring()
    accept(world, ["body.price"])
    const { number } = newest(world, "sandbox2")
    takenBack(world)
    expect(world.give({ type: "retry", rollout: number, reason: "again" }).refused).toBeUndefined()
    for (let n = 0; n < 50 && newest(world, "sandbox2").phase.name !== "mirroring"; n++) world.turn()
    expect(newest(world, "sandbox2").number).toBeGreaterThan(number)
    expect(judgedBy(world)).toEqual(["body.at", "body.price"])
    takenBack(world)
    mirroring("c3", world)
    expect(judgedBy(world)).toEqual(["body.at"])
  })

  it("can be taken back, counts again from then on, and may be accepted once more", () => {
    const world = mirroring()
    const { number: rollout } = newest(world, "sandbox2")
    const withdraw = (...paths: readonly string[]) =>
      world.give({ type: "withdraw-answers", rollout, paths, reason: "it was a mistake" }, "Ada")
    accept(world, ["body.price", "GET /items body.tax"])
    expect(withdraw("body.price").refused).toBeUndefined()
    expect(judgedBy(world)).toEqual(["body.at", "GET /items body.tax"])
    expect(world.events.at(-1)).toMatchObject({
      by: "Ada",
      because: "it was a mistake",
      event: { type: "answers-withdrawn", paths: ["body.price"] },
    })
    expect(withdraw("body.price").refused?.message).toContain("accepted by people: GET /items body.tax")
    expect(withdraw("body.at").refused?.message).toContain("perhaps by the commit itself")
    expect(withdraw().refused?.message).toContain("no path was named")
    expect(accept(world, ["body.price"]).refused).toBeUndefined()
    expect(judgedBy(world)).toEqual(["body.at", "GET /items body.tax", "body.price"])
  })

  it("is refused without a reason, for what is no path, twice, and where nothing is compared", () => {
    const world = mirroring()
    const { number: rollout } = newest(world, "sandbox2")
    const order = { type: "accept-answers", rollout, paths: ["body.price"], reason: " " } as const
    expect(world.give(order).refused?.code).toBe("reason-missing")
    expect(accept(world, ["price"]).refused?.message).toContain("no path of an answer")
    expect(accept(world, ["body.price"], 99).refused?.code).toBe("unknown")
    expect(accept(world, ["body.price"]).refused).toBeUndefined()
    expect(accept(world, ["body.price"]).refused?.message).toContain("accepted already")
    const plain = served()
    expect(accept(plain, ["body.price"], 1).refused?.message).toContain("not compared")
  })
})
