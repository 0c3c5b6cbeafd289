import { Readable } from "node:stream"
import { expect, it } from "vitest"
import type { Agent, Observed } from "../ports/agent.ts"
import { CoreWorld, papiPolicy } from "../testing/core-world.ts"
import type { World } from "./observe.ts"
import type { Parts } from "./parts.ts"
import { Performer } from "./perform.ts"

const signal = AbortSignal.timeout(60_000)

/** A build whose source is fetched, brought and begun; `pausedAt` waits there until it is let on. */
function building(pausedAt: "archive" | "putSource" | undefined) {
  const world = new CoreWorld()
  world.give({ type: "add-app", source: { url: "/srv/git/papi.git", branch: "main" } })
  world.push("a1", papiPolicy())
  const calls: string[] = []
  const paused = Promise.withResolvers<void>()
  const tar = Readable.from(["a tar"])
  const call = async <T>(name: string, answer: T): Promise<T> => {
    calls.push(name)
    if (name === pausedAt) await paused.promise
    return answer
  }
  const agent = {
    server: "local",
    instancesOnly: true,
    fence: async () => ({ kind: "done" }),
    putSource: () => call("putSource", { kind: "done" }),
    runJob: () => call("runJob", { kind: "done" }),
  } as unknown as Agent
  const parts = {
    agents: new Map([["local", agent]]),
    source: { archive: () => call("archive", tar) },
    pace: { call: 60_000, push: 60_000 },
    clock: { mono: () => 0, sleep: () => new Promise<void>(() => undefined) },
    log: { warn: () => undefined },
  } as unknown as Parts
  const seen = { server: "local", instances: [], jobs: [] } as unknown as Observed
  const there: World = { servers: new Map([["local", seen]]), problems: {} }
  const performer = new Performer(parts, 1, () => undefined)
  const turn = () => performer.perform(world.state, world.wants(), there, signal)
  const begin = async () => {
    await performer.fence("papi", { isSilent: () => false }, signal)
    await turn()
  }
  return { world, calls, paused, tar, begin, turn }
}

it("a build is begun once its source is there", async () => {
  const { calls, begin } = building(undefined)
  await begin()
  await expect.poll(() => calls, { timeout: 30_000 }).toEqual(["archive", "putSource", "runJob"])
})

it("a build that was given up while its source was on the way is not begun", async () => {
  for (const pausedAt of ["archive", "putSource"] as const) {
    const { world, calls, paused, tar, begin, turn } = building(pausedAt)
    await begin()
    await expect.poll(() => calls.at(-1), { timeout: 30_000 }).toBe(pausedAt)
    world.give({ type: "remove-app", reason: "nobody uses it" })
    await turn()
    paused.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls.at(-1)).toBe(pausedAt)
    expect(tar.destroyed).toBe(pausedAt === "archive")
  }
})
