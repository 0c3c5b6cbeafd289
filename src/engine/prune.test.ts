import { beforeEach, describe, expect, it } from "vitest"
import type { Agent, Pruned } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"
import { served } from "../testing/core-stories.ts"
import { papiPolicy } from "../testing/core-world.ts"
import { Pruning } from "./prune.ts"

const [minute, hour] = [60_000, 3_600_000]
const fence = { app: "papi", epoch: 1, generation: 1 }
const signal = AbortSignal.timeout(600_000)

describe("telling a server what it keeps", () => {
  let now: number
  let told: (readonly string[] | "nothing")[]
  let said: string[]
  let answer: () => Promise<Pruned>
  let pruning: Pruning
  const done = (left = 0): Pruned => ({ kind: "done", removed: 1, bytes: 5, left })
  const agent = {
    server: "local",
    keepArtifacts: (_: unknown, keep: readonly string[] | "nothing") => {
      told.push(keep)
      return answer()
    },
  } as unknown as Agent
  const world = served()

  beforeEach(() => {
    now = 0
    told = []
    said = []
    answer = async () => done()
    const log = {
      info: (_: unknown, message: string) => void said.push(message),
      warn: (_: unknown, message: string) => void said.push(message),
      error: () => undefined,
    }
    pruning = new Pruning({ clock: { now: () => now, mono: () => now } as unknown as Clock, log })
    pruning.from(world.state)
    now = hour
  })

  const turn = async (state = world.state): Promise<number> => {
    pruning.begin(state, agent, () => fence, signal)
    for (let i = 0; i < 20; i++) await Promise.resolve()
    return told.length
  }

  it("happens once, and again when the list has changed, an hour later at the earliest", async () => {
    expect(await turn()).toBe(1)
    expect(said).toEqual(["artifacts of old releases were removed"])
    now += hour
    expect(await turn()).toBe(1)
    const more = served()
    more.push("b2", papiPolicy())
    more.allTheWay()
    expect(await turn(more.state)).toBe(2)
    expect(told[1]).not.toEqual(told[0])
    now += hour - 1
    expect(await turn()).toBe(2)
    now += 1
    expect(await turn()).toBe(3)
  })

  it("waits for a moment within the hour after a start, unless the list has changed since", async () => {
    now = 0
    expect(await turn()).toBe(0)
    const more = served()
    more.push("b2", papiPolicy())
    more.allTheWay()
    now = 1
    expect(await turn(more.state)).toBe(1)
  })

  it("does not wait for that moment with what was under way at the start and has changed the list since", async () => {
    now = 0
    const more = served()
    more.push("b2", papiPolicy())
    pruning.from(more.state)
    more.allTheWay()
    pruning.from(more.state)
    now = 1
    expect(await turn(more.state)).toBe(1)
  })

  it("is repeated after an hour while something was left", async () => {
    answer = async () => done(1)
    expect(await turn()).toBe(1)
    now += hour
    expect(await turn()).toBe(2)
  })

  it("is tried again later and later after a refusal or an answer that got lost, and nobody waits", async () => {
    answer = async () => ({ kind: "refused", because: "a job of papi runs here" })
    expect(await turn()).toBe(1)
    expect(said).toEqual(["old artifacts were not removed: a job of papi runs here"])
    expect(await turn()).toBe(1)
    now += minute
    answer = () => Promise.reject(new Error("no agent answers"))
    expect(await turn()).toBe(2)
    now += minute / 2
    expect(await turn()).toBe(2)
    now += 2 * minute
    answer = () => new Promise(() => undefined)
    expect(await turn()).toBe(3)
    // It never ends; neither does anything wait for it, nor is it asked twice.
    now += hour
    expect(await turn()).toBe(3)
  })

  it("says of an application that was removed that nothing of it is kept, once nothing of it runs", async () => {
    const gone = served()
    gone.give({ type: "remove-app", reason: "nobody uses it" })
    expect(gone.state.removed?.clearedAt).toBeUndefined()
    await turn(gone.state)
    now += hour
    gone.settle()
    await turn(gone.state)
    expect(told).toEqual([expect.arrayContaining([expect.stringMatching(/^sha256:/)]), "nothing"])
    await turn(gone.state)
    now += hour
    // A job that was under way may have left something since.
    await turn(gone.state)
    expect(told.slice(2)).toEqual(["nothing"])
  })

  it("is no order before anything is pinned, nor one to an agent that does not know it", async () => {
    const { regions: _, ...nothing } = world.state
    await turn({ ...nothing, regions: [], rollouts: {}, releases: {} })
    pruning.begin(world.state, { server: "old" } as unknown as Agent, () => fence, signal)
    expect(told).toEqual([])
  })
})
