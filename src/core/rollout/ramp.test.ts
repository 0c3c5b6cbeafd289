import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { Policy } from "../model/policy.ts"
import type { Verdict, VerdictKind } from "../model/verdict.ts"
import { allowedShare, ladder } from "./ramp.ts"

const harm = 5

function rampPolicy(): Policy {
  const policy = papiPolicy()
  const production = policy.regions[2]
  if (!production) throw new Error("papi has four regions")
  const region = {
    ...production,
    gate: undefined,
    strategy: "canary" as const,
    weights: ladder,
    ramp: { harm },
    size: 2,
  }
  return { ...policy, regions: [region] }
}

/** A world in which one release serves and a second one has reached the first weight. */
function climbing(): CoreWorld {
  const world = new CoreWorld()
  world.push("a1", rampPolicy())
  world.allTheWay()
  world.push("b2", rampPolicy())
  world.settle()
  return world
}

const seen = (kind: VerdictKind, upTo: number, perMinute = 1_000): readonly Verdict[] => [
  verdict(kind, true, { harm: { upTo, perMinute } }),
]
const weightOf = (world: CoreWorld): number | undefined => world.state.regions[0]?.weights[2]

describe("an adaptive ramp", () => {
  it("starts at one percent, and goes on as soon as what is excluded fits the budget, sure or not", () => {
    const world = climbing()
    expect(weightOf(world)).toBe(1)
    world.look(seen("unsure", 1), 1_000)
    world.settle()
    expect(weightOf(world)).toBe(1)
    world.look(seen("unsure", 0.2), 2_000)
    world.settle()
    expect(weightOf(world)).toBe(2)
    world.look(seen("unsure", 0.1), 3_000)
    world.settle()
    expect(weightOf(world)).toBe(5)
  })

  it("does not outrun its budget when every metric is ok and the window is over, and asks a person at last", () => {
    const world = climbing()
    world.look(seen("ok", 0.5))
    world.look(seen("ok", 0.5))
    world.look(seen("ok", 0.5))
    world.settle()
    expect(weightOf(world)).toBe(1)
    const { phase } = world.state.rollouts[2] ?? {}
    expect(phase?.name === "holding" && phase.hold.because).toContain(
      "the budget of 5 extra failures a minute allows 1 % of the traffic so far, not 2 %",
    )
  })

  it("stays where a metric has no data, and goes back where one is worse, whatever the budget allows", () => {
    const blind = climbing()
    blind.look([...seen("unsure", 0.0001), verdict("nodata", false)])
    blind.settle()
    expect(weightOf(blind)).toBe(1)
    const bad = climbing()
    bad.look(seen("worse", 0.0001))
    bad.settle()
    expect(bad.state.rollouts[2]?.phase.name).toBe("rolled-back")
  })

  it("reaches everything only with an ok over the whole window, and is through with it", () => {
    const world = climbing()
    for (let i = 0; i < 5; i++) {
      world.look(seen("unsure", 0.001), 1_000)
      world.settle()
    }
    expect(weightOf(world)).toBe(50)
    world.look(seen("ok", 0.0001), 1_000)
    world.settle()
    expect(weightOf(world), "the window is not over").toBe(50)
    world.look(seen("unsure", 0.0001))
    world.settle()
    expect(weightOf(world), "not ok").toBe(50)
    world.look(seen("ok", 0.0001), 1_200_000)
    world.settle()
    expect(weightOf(world)).toBe(100)
  })

  it("is bound by the metric that allows least, and by nothing that is not measured", () => {
    expect(allowedShare({ harm }, [])).toBe(0)
    expect(allowedShare({ harm }, [verdict("ok", true)])).toBe(0)
    expect(allowedShare({ harm }, [...seen("ok", 0.001), ...seen("ok", 0.05)])).toBeCloseTo(0.1, 12)
    expect(allowedShare({ harm }, seen("ok", 0.0001, 10))).toBe(0.5)
  })

  it("never starts a step whose weight exceeds h/(R·U), whatever the judge says in whatever order", () => {
    const look = fc.record({
      kind: fc.constantFrom<VerdictKind>("ok", "unsure", "ok", "unsure", "nodata"),
      upTo: fc.constantFrom(1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001),
      perMinute: fc.integer({ min: 1, max: 20_000 }),
      observed: fc.integer({ min: 0, max: 400_000 }),
    })
    let climbed = 0
    fc.assert(
      fc.property(fc.array(look, { minLength: 1, maxLength: 12 }), (looks) => {
        const world = climbing()
        for (const { kind, upTo, perMinute, observed } of looks) {
          const before = world.events.length
          world.look(seen(kind, upTo, perMinute), observed)
          world.settle()
          for (const { event } of world.events.slice(before)) {
            if (event.type !== "step-started") continue
            climbed++
            if (event.weight === 1) expect(kind).toBe("ok")
            else expect(event.weight).toBeLessThanOrEqual(Math.min(0.5, harm / (perMinute * upTo)))
          }
        }
      }),
      { numRuns: 60, seed: 11 },
    )
    expect(climbed, "some stories climb").toBeGreaterThan(20)
  })
})
