import { describe, expect, it } from "vitest"
import { atProd3, newest, served, weights } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"

const ok = verdict("ok", true)
const worse = verdict("worse", true)

/** A second release waits for the button of prod3. */
function atTheGate(policy = papiPolicy()): { readonly world: CoreWorld; readonly number: number } {
  const world = served()
  world.push("b2", policy)
  for (let i = 0; i < 3; i++) {
    world.settle()
    world.look([ok])
  }
  world.settle()
  return { world, number: newest(world, "prod3").number }
}

describe("people", () => {
  it("E21: of two who promote and abort at once the one who aborts wins, and the other is told", () => {
    const { world, rollout } = atProd3(
      papiPolicy({
        autonomy: {
          advance: "auto",
          halt: "auto",
          rollback: "auto",
          regions: { prod3: { advance: "manual" } },
        },
      }),
    )
    world.look([ok])
    const { number } = rollout()
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { proposal: "advance" } })
    world.give({ type: "rollback", rollout: number, reason: "no" }, "Ana")
    const late = world.give({ type: "approve", rollout: number, reason: "yes", bound: {} }, "Mira")
    expect(late.refused).toMatchObject({ code: "wrong-phase" })
    expect(late.refused?.message).toContain("aborting")
  })

  it("E22: an approval of older evidence is refused", () => {
    const { world, number } = atTheGate()
    const bound = { evidence: "older" }
    expect(world.give({ type: "approve", rollout: number, reason: "fine", bound }).refused?.code).toBe(
      "stale",
    )
  })

  it("E23: an approval that arrives after the automatic rollback is refused", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    world.look([worse])
    const late = world.give({ type: "approve", rollout: number, reason: "looks fine", bound: {} })
    expect(late.refused?.code).toBe("wrong-phase")
    world.settle()
    expect(world.state.rollouts[number]?.phase.name).toBe("rolled-back")
  })

  it("E24: what is worse goes back also while it waits for somebody's approval", () => {
    const { world, rollout } = atProd3(
      papiPolicy({
        autonomy: {
          advance: "auto",
          halt: "auto",
          rollback: "auto",
          regions: { prod3: { advance: "manual" } },
        },
      }),
    )
    world.look([ok])
    expect(rollout().phase.name).toBe("holding")
    world.look([worse])
    expect(rollout().phase.name).toBe("aborting")
  })

  it("E25: a gate that nobody opens in time deploys nothing", () => {
    const { world, number } = atTheGate()
    const before = weights(world, "prod3")
    world.turn(86_400_000)
    world.turn()
    expect(world.state.rollouts[number]?.phase).toMatchObject({
      name: "cancelled",
      because: "nobody approved it in time",
    })
    expect(weights(world, "prod3")).toEqual(before)
  })

  it("E26: who wrote a commit does not approve it where the gate wants four eyes", () => {
    const plain = papiPolicy()
    const regions = plain.regions.map((region) =>
      region.gate ? { ...region, gate: { ...region.gate, notAuthor: true } } : region,
    )
    const { world, number } = atTheGate({ ...plain, regions })
    const approve = { type: "approve", rollout: number, reason: "mine is fine", bound: {} } as const
    expect(world.give(approve, "ana@example.com").refused?.code).toBe("not-allowed")
    expect(world.give(approve, "Mira").refused).toBeUndefined()
  })

  it("E29: where a lock asks for prevention, a reason alone does not open it", () => {
    const { world } = atProd3(
      papiPolicy({ lock: { on: ["halt", "rollback"], scope: "app", preventiveAction: true } }),
    )
    world.look([worse])
    world.settle()
    const unlock = { type: "unlock", lock: 1, reason: "understood" } as const
    expect(world.give({ ...unlock, preventive: undefined }).refused?.code).toBe("reason-missing")
    expect(world.give({ ...unlock, preventive: "a test for it" }).refused).toBeUndefined()
  })

  it("E30: a freeze that begins mid-rollout stops what goes forward and nothing that goes back", () => {
    const spans = [{ from: 0, until: 1e12 }]
    const freeze = [{ name: "quarter's end", when: "Mon 00:00 - Tue 00:00", zone: "Europe/Berlin", spans }]
    const { world, rollout } = atProd3()
    const { number } = rollout()
    const frozen = { ...rollout(), policy: { ...rollout().policy, freeze } }
    world.state = { ...world.state, rollouts: { ...world.state.rollouts, [number]: frozen } }
    world.look([ok])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "frozen" } })
    world.look([worse])
    expect(rollout().phase.name).toBe("aborting")
  })

  it("E32: an override lets one region past locks and freezes for its time, with a name and a reason, and no longer", () => {
    const world = served()
    world.give({ type: "lock", region: undefined, reason: "we look at it" })
    world.push("b2", papiPolicy())
    world.settle()
    const queued = newest(world, "sandbox1")
    expect(queued.phase.name).toBe("queued")
    const override = { type: "override", region: "sandbox1", reason: "the login is down" } as const
    expect(world.give({ ...override, duration: 5 * 3_600_000 }).refused?.code).toBe("not-allowed")
    expect(world.give({ ...override, duration: 60_000, reason: "" }).refused?.code).toBe("reason-missing")
    world.give({ ...override, duration: 60_000 }, "Ben")
    world.settle()
    expect(world.state.rollouts[queued.number]?.phase.name).toBe("succeeded")
    expect(world.events.find(({ event }) => event.type === "override-granted")).toMatchObject({ by: "Ben" })
    world.turn(60_000)
    world.settle()
    expect(newest(world, "sandbox2").phase.name).toBe("queued")
    expect(world.state.locks).toHaveLength(1)
  })
})
