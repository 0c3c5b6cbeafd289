import { describe, expect, it } from "vitest"
import { active, newest, served } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import { nothing } from "./nothing.ts"
import { artifactGone, pinnedArtifacts } from "./pinned.ts"

const digestOf = (commit: string) => `sha256:${commit.padEnd(64, "0")}`
const name = (n: number) => `c${n.toString(16)}`

/** Releases that each succeeded everywhere, oldest first, after the first one. */
function releases(count: number, policy = papiPolicy()) {
  const world = served(policy)
  const commits = Array.from({ length: count }, (_, n) => {
    const commit = world.push(name(n), policy)
    world.allTheWay()
    return commit
  })
  return { world, commits }
}

/** What would be started must have what it starts from. */
const startsFrom = (world: CoreWorld) =>
  world.wants().flatMap((effect) => (effect.kind === "start-instance" ? [effect.instance.digest] : []))

describe("what is pinned", () => {
  it("is nothing before anything was built, and then what was", () => {
    expect(pinnedArtifacts(nothing("papi"))).toEqual([])
    expect(pinnedArtifacts(served().state)).toEqual([digestOf("a1")])
  })

  it("is what serves, what is kept, and the last five that succeeded; what is older is not", () => {
    const { world, commits } = releases(8)
    expect(pinnedArtifacts(world.state)).toEqual(commits.slice(-5).map(digestOf).sort())
  })

  it("holds every kept pool, however many are, and a swap back after pruning starts from nothing else", () => {
    const policy = papiPolicy()
    const { world, commits } = releases(9, { ...policy, run: { ...policy.run, keep: 7 } })
    const kept = new Set(
      world.state.regions.flatMap((region) =>
        region.kept.map((pool) => world.state.rollouts[pool]?.release ?? ""),
      ),
    )
    expect(kept.size).toBe(7)
    const pinned = pinnedArtifacts(world.state)
    expect(pinned).toEqual(expect.arrayContaining([...kept].map(digestOf)))
    expect(pinned).not.toContain(digestOf(commits[0] ?? ""))
    const last = newest(world, "prod4").number
    expect(
      world.give({ type: "rollback", rollout: last, reason: "a customer called" }).refused,
    ).toBeUndefined()
    for (let i = 0; i < 20; i++) {
      expect(pinned).toEqual(expect.arrayContaining([...startsFrom(world)]))
      world.turn()
    }
    const { stable } = world.state.regions.find((region) => region.name === "prod4") ?? {}
    expect(world.state.rollouts[stable ?? -1]?.release).toBe(commits.at(-2))
  })

  it("holds what is under way, and what waits at a gate, beside what it would replace", () => {
    const { world, commits } = releases(1)
    const next = world.push("d1", papiPolicy())
    for (let i = 0; i < 10 && !active(world, "prod3"); i++) {
      world.settle()
      world.approveAll()
      world.look([])
    }
    expect(pinnedArtifacts(world.state)).toEqual(
      expect.arrayContaining([digestOf(next), digestOf(commits[0] ?? "")]),
    )
  })

  it("holds a release that was rolled back while it is among the last ones, so that it can be retried", () => {
    const { world } = releases(2)
    const bad = world.push("bad", papiPolicy())
    world.faults = { failingTests: new Set([bad]) }
    world.allTheWay()
    const failed = Object.values(world.state.rollouts).find(({ release }) => release === bad)
    expect(failed?.phase.name).toBe("failed")
    expect(pinnedArtifacts(world.state)).toContain(digestOf(bad))
    const retry = { type: "retry", rollout: failed?.number ?? 0, reason: "the test was wrong" } as const
    expect(world.give(retry).refused).toBeUndefined()
  })

  it("holds what a drill rebuilds", () => {
    const { world } = releases(1)
    world.give({ type: "drill", region: "prod4", reason: "the yearly audit" })
    const release = world.state.drill?.release ?? ""
    expect(pinnedArtifacts(world.state)).toContain(digestOf(release))
  })

  it("says what to do when a release is asked for whose artifact may be gone, and changes nothing", () => {
    const { world, commits } = releases(8)
    const [old = "", , , , , , recent = ""] = commits
    const release = world.state.releases[old]
    expect(release && artifactGone(world.state, release)).toContain("is not kept any more")
    const before = world.events.length
    const asked = world.give({ type: "deploy", commit: old, reason: "it was better", hotfix: true })
    expect(asked.refused).toMatchObject({
      code: "not-allowed",
      message: expect.stringContaining("Push a commit"),
    })
    expect(world.events.length).toBe(before)
    expect(world.give({ type: "deploy", commit: recent, reason: "it was better" }).refused).toBeUndefined()
  })
})
