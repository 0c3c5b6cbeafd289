import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Difference } from "../../core/pipeline/events.ts"
import type { Compute } from "../../ports/compute.ts"
import type { Container, Containers } from "../../ports/containers.ts"
import { specOf } from "../../testing/compute-world.ts"
import { until } from "../../testing/router-world.ts"
import { dockerCompute } from "./docker.ts"

const signal = new AbortController().signal
const by = { app: "papi", epoch: 3, generation: 1 }
const spec = specOf("papi-prod-1", `sha256:${"0".repeat(64)}`)

describe("what an engine is asked", () => {
  let dir: string
  let now: number
  let container: Container | undefined
  let objection: () => Promise<string | undefined>
  let started: number
  /** Comparisons that the engine has not answered yet. */
  let comparing: { readonly answer: (paths: readonly string[]) => void; readonly refuse: () => void }[]
  let compute: Compute

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "immunity-questions-"))
    now = 0
    container = undefined
    objection = async () => undefined
    started = 0
    comparing = []
    const containers: Partial<Containers> = {
      find: async () => container,
      list: async () => (container ? [container] : []),
      create: async ({ name, image }) => {
        container = {
          id: "1",
          name,
          image,
          state: "created",
          startedAt: 0,
          pid: undefined,
          address: undefined,
          exitCode: undefined,
          outOfMemory: false,
          memoryLimit: undefined,
        }
        return container.id
      },
      start: async () => {
        started++
        if (container) container = { ...container, state: "running" }
      },
      output: () => new Promise(() => undefined),
      differences: () =>
        new Promise<readonly Difference[]>((resolve, reject) => {
          comparing.push({
            answer: (paths) => resolve(paths.map((path) => ({ path, what: "changed" }))),
            refuse: () => reject(new Error("the engine does not answer")),
          })
        }),
    }
    compute = dockerCompute({
      dir,
      handed: join(dir, "handed"),
      containers: containers as Containers,
      clock: { now: () => now, mono: () => now, sleep: async () => undefined },
      key: "abcdefabcdef",
      objection: () => objection(),
    })
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const found = async () => {
    now += 60_000
    const [instance] = await compute.list(signal)
    return instance?.differences.map(({ path }) => path)
  }
  const asked = (times: number) =>
    until(`comparison ${times}`, async () => {
      await found()
      return comparing.length === times || undefined
    })

  /** Time for a comparison that should not be to begin. */
  const others = () => new Promise((resolve) => setTimeout(resolve, 50))

  it("one comparison of a container at a time, however long it takes", async () => {
    await compute.start(spec, by, signal)
    await asked(1)
    for (let i = 0; i < 5; i++) expect(await found()).toEqual([])
    await others()
    expect(comparing.length).toBe(1)
    comparing[0]?.answer(["/early"])
    await asked(2)
    expect(await found()).toEqual(["/early"])
    comparing[1]?.refuse()
    await asked(3)
    comparing[2]?.answer(["/late"])
    await until("the later finding", async () => String(await found()) === "/late" || undefined)
  })

  it("the next comparison two seconds after the last one ended, not after it began", async () => {
    await compute.start(spec, by, signal)
    await asked(1)
    now += 10_000
    comparing[0]?.answer(["/a"])
    await until("the finding", async () => {
      const [instance] = await compute.list(signal)
      return instance?.differences.length === 1 || undefined
    })
    now += 1_999
    await compute.list(signal)
    await others()
    expect(comparing.length).toBe(1)
    now += 1
    await compute.list(signal)
    await until("the next one", async () => comparing.length === 2 || undefined)
  })

  it("of a container that runs, its image is nobody's concern: its order is carried out", async () => {
    await compute.start(spec, by, signal)
    objection = () => Promise.reject(new Error("the registry does not answer"))
    await compute.start(spec, by, signal)
    objection = () => new Promise(() => undefined)
    await compute.start(spec, by, signal)
    expect(started).toBe(1)
  })

  it("an image that may not run is not started, nor one of which nobody can say", async () => {
    objection = async () => "nobody built it here"
    await expect(compute.start(spec, by, signal)).rejects.toThrow("nobody built it here")
    objection = () => Promise.reject(new Error("the registry does not answer"))
    await expect(compute.start(spec, by, signal)).rejects.toThrow("the registry does not answer")
    expect(started).toBe(0)
  })
})
