import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"

/** In a process of its own: a simulated world forbids the clocks and timers that a test runner lives by. */
async function simulate(...options: readonly string[]): Promise<{
  readonly seeds: number
  readonly faults: number
  readonly violations: number
  readonly hash: string
}> {
  const { stdout } = await promisify(execFile)(process.execPath, ["sim/main.ts", "--json", ...options])
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
}

describe("the simulation", () => {
  it("breaks no promise in 300 seeds full of faults", async () => {
    const found = await simulate("--seeds", "300", "--from", "1")
    expect(found).toMatchObject({ seeds: 300, violations: 0 })
    expect(found.faults).toBeGreaterThan(3_000)
  })

  it.each(readdirSync("sim/corpus"))("breaks no promise any more in the story of %s", async (story) => {
    const replay = ["sim/main.ts", "--replay", join("sim/corpus", story)]
    const { stdout } = await promisify(execFile)(process.execPath, replay)
    expect(JSON.parse(stdout)).toMatchObject({ violations: [] })
  })

  it("breaks no promise in the worlds that were made for planted bugs, as long as there is no bug", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["sim/planted/without-a-bug.ts"])
    const { worlds, broken } = JSON.parse(stdout)
    expect(broken).toEqual([])
    expect(worlds).toBeGreaterThan(30)
  })

  it("replays a seed exactly", async () => {
    const [one, two] = await Promise.all([simulate("--seeds", "10"), simulate("--seeds", "10")])
    expect(one.hash).toBe(two.hash)
    expect((await simulate("--seeds", "10", "--from", "2")).hash).not.toBe(one.hash)
  })
})
