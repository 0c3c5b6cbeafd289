import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Digest } from "../core/model/ids.ts"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import type { AgentInstance } from "../ports/agent.ts"
import type { Compute } from "../ports/compute.ts"
import type { Fence, Router } from "../ports/router.ts"
import { processBuilder } from "../providers/builder/index.ts"
import { systemClock } from "../providers/clock/system.ts"
import { processCompute } from "../providers/compute/index.ts"
import { specOf } from "../testing/compute-world.ts"
import { until } from "../testing/router-world.ts"
import { createAgent, type LocalAgent } from "./agent.ts"
import { artifactFolder, discard } from "./artifacts.ts"
import { processSandbox } from "./confine.ts"
import { becomeOnlyAgent } from "./only-one.ts"
import { packed } from "./tar.ts"

const signal = AbortSignal.timeout(600_000)
const path = `${dirname(process.execPath)}:/usr/bin:/bin`
const fence = { app: "papi", epoch: 2, generation: 1 }
const server = `
const kept = []
require("http").createServer((q, a) => {
  if (q.url === "/crash") process.exit(7)
  if (q.url === "/sick") return a.writeHead(503).end()
  if (q.url === "/leak") kept.push(Buffer.alloc(200e6, 1))
  a.end("well")
}).listen(process.env.PORT, "127.0.0.1")
`

/** The router's part of the handshake: what it was asked to release, and what its own fence refuses. */
function fakeRouter(): Router & { readonly released: string[] } {
  const released: string[] = []
  let last = 0
  return {
    released,
    fence: async () => ({ kind: "applied" }),
    setRoutes: async (order: Fence) => {
      if (order.generation <= last)
        return { kind: "refused", code: "stale", because: `generation ${order.generation} after ${last}` }
      last = order.generation
      return { kind: "applied" }
    },
    release: async (_fence: Fence, id: string) => {
      released.push(id)
      return { kind: "released" }
    },
    state: async () => ({ apps: {}, listeners: {}, inFlight: {}, released }),
    counters: async () => ({ routes: {} }),
  } as unknown as Router & { readonly released: string[] }
}

describe("the agent", () => {
  let dir: string
  let digest: Digest
  let agent: LocalAgent
  let router: ReturnType<typeof fakeRouter>

  const open = async (mostInstances?: number, compute?: Compute) => {
    const artifacts = artifactFolder(join(dir, "artifacts"))
    agent = await createAgent({
      server: "local",
      dir,
      clock: systemClock,
      artifacts,
      sandbox: processSandbox,
      builder: processBuilder({ sandbox: processSandbox, artifacts, path }),
      compute: compute ?? processCompute({ dir, artifacts, clock: systemClock, path }),
      router,
      path,
      mostInstances,
      travelling: artifacts,
    })
  }

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "immunity-agent-"))
    chmodSync(dir, 0o711)
    mkdirSync(join(dir, "tree"))
    writeFileSync(join(dir, "tree", "server.js"), server)
    digest = (await artifactFolder(join(dir, "artifacts")).add(join(dir, "tree"))).digest
    router = fakeRouter()
    await open()
  })

  afterEach(async () => {
    rmSync(join(dir, "kill-switch"), { force: true })
    for (const id of await agent.instanceIds()) {
      await agent.releaseInstance({ ...fence, epoch: 99 }, id, 0, signal)
      await agent.stopInstance({ ...fence, epoch: 99 }, id, 0, signal)
    }
    await agent.close()
    await discard(dir)
  })

  const health = { path: "/", every: 100, timeout: 2_000, healthy: 1, unhealthy: 2 }
  const spec = (id: string, more: Partial<InstanceSpec["run"]> = {}) =>
    specOf(id, digest, { health, ...more })

  const see = async (id: string): Promise<AgentInstance | undefined> =>
    (await agent.observe(["papi"], signal)).instances.find((instance) => instance.id === id)

  const becomes = async (id: string, state: AgentInstance["state"]): Promise<AgentInstance> => {
    const deadline = Date.now() + 30_000
    for (;;) {
      const seen = await see(id)
      if (seen?.state === state) return seen
      if (Date.now() > deadline)
        throw new Error(`${id} is ${seen?.state} (${seen?.probe}) and never became ${state}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  const start = (id: string, more: Partial<InstanceSpec["run"]> = {}) =>
    agent.startInstance(fence, spec(id, more), signal)
  const release = (id: string) => agent.releaseInstance(fence, id, 0, signal)
  const stop = (id: string) => agent.stopInstance(fence, id, 1_000, signal)

  it("gives a configuration to what hands it over by itself, and then grants no token and keeps none of it", async () => {
    await agent.close()
    const given: InstanceSpec[] = []
    await open(undefined, {
      handsConfigurationOver: true,
      start: async (one) => void given.push(one),
      stop: async () => undefined,
      list: async () => [],
      forget: async () => undefined,
    })
    const configuration = { version: 4, values: { PASSWORD: { plain: "correct horse" } } }
    const order = { ...spec("prod-1"), configuration }
    expect(await agent.startInstance(fence, order, signal)).toEqual({ kind: "done" })
    expect(given).toMatchObject([{ id: "prod-1", configuration }])
    expect(Object.keys(given[0]?.run.env ?? {})).toEqual(["IMMUNITY_CACHE_NAMESPACE"])
    const kept = readdirSync(dir).filter((name) => statSync(join(dir, name)).isFile())
    expect(kept).toContain("configurations.json")
    for (const name of kept) expect(readFileSync(join(dir, name), "utf8")).not.toContain("correct horse")
  })

  it("tells whoever waits for news that an instance became ready, and does not let them wait longer", async () => {
    await start("prod-1")
    await until("it to be ready", async () => (await see("prod-1"))?.state === "ready")
    const { mark } = await agent.news(undefined, signal)
    await start("prod-2")
    // Nobody looks; what is asked stays open until there is something to tell, and no minute passes.
    let told = await agent.news(mark, signal, 50_000)
    while (!told.changed.includes("papi") || (await see("prod-2"))?.state !== "ready")
      told = await agent.news(told.mark, signal, 50_000)
    expect((await agent.news(mark, signal)).changed).toEqual(["papi"])
    expect((await agent.news("a mark of another life", signal, 50_000)).changed).toBe("all")
  })

  it("starts, sees it become ready, releases, and only then stops", async () => {
    expect(await start("prod-1")).toEqual({ kind: "done" })
    expect((await becomes("prod-1", "ready")).app).toBe("papi")
    expect(await stop("prod-1")).toMatchObject({
      kind: "refused",
      because: expect.stringContaining("not released by the router"),
    })
    expect((await see("prod-1"))?.state).toBe("ready")
    await release("prod-1")
    expect(await stop("prod-1")).toEqual({ kind: "done" })
    expect(await see("prod-1")).toBeUndefined()
  })

  it("never runs more than it was told to, also when all are ordered at one moment, and says why not", async () => {
    await agent.close()
    await open(2)
    const answers = await Promise.all(["prod-1", "prod-2", "prod-3", "prod-4"].map((id) => start(id)))
    const refused = answers.filter(({ kind }) => kind === "refused")
    expect([answers.length - refused.length, (await agent.instanceIds()).length]).toEqual([2, 2])
    expect(refused[0]).toEqual({
      kind: "refused",
      code: "no-room",
      because: "2 instances run on local, and at most 2 may (--most-instances)",
    })
    expect((await agent.observe([], signal)).capacity?.instances).toEqual({ total: 2, free: 0 })
    const [running = ""] = await agent.instanceIds()
    expect(await start(running)).toEqual({ kind: "done" })
    await release(running)
    await stop(running)
    expect(await start("prod-5")).toEqual({ kind: "done" })
  })

  it("who is ended knows of what was being started meanwhile, and starts nothing more", async () => {
    await agent.close()
    const artifacts = artifactFolder(join(dir, "artifacts"))
    const compute = processCompute({ dir, artifacts, clock: systemClock, path })
    const startNow = compute.start.bind(compute)
    let isAsked = false
    compute.start = async (...order) => {
      isAsked = true
      await new Promise((resolve) => setTimeout(resolve, 100))
      return startNow(...order)
    }
    await open(undefined, compute)
    const begun = start("prod-1")
    await until("the order", async () => isAsked)
    expect(await agent.lastInstances()).toEqual(["prod-1"])
    expect(await begun).toEqual({ kind: "done" })
    expect(await start("prod-2")).toMatchObject({
      kind: "refused",
      because: expect.stringContaining("is being ended"),
    })
    expect(await agent.instanceIds()).toEqual(["prod-1"])
  })

  it("a repeated order, also at the same moment, starts one instance", async () => {
    expect(await Promise.all([start("prod-1"), start("prod-1"), start("prod-1")])).toEqual([
      { kind: "done" },
      { kind: "done" },
      { kind: "done" },
    ])
    await becomes("prod-1", "ready")
    expect(await agent.instanceIds()).toEqual(["prod-1"])
  })

  it("a crash is told with its exit code; its id is not started again", async () => {
    await start("prod-1")
    const { address } = await becomes("prod-1", "ready")
    await fetch(`http://${address}/crash`).catch(() => undefined)
    expect((await becomes("prod-1", "ended")).exit).toMatchObject({ code: 7 })
    await start("prod-1")
    expect((await see("prod-1"))?.state).toBe("ended")
  })

  it("who is not healthy never counts as ready, and what its probe says is told", async () => {
    await start("prod-1", { health: { path: "/sick", every: 50, timeout: 500, healthy: 1, unhealthy: 2 } })
    const deadline = Date.now() + 30_000
    while ((await see("prod-1"))?.probe !== "/sick answers 503" && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 30))
    expect(await see("prod-1")).toMatchObject({ state: "starting", probe: "/sick answers 503" })
  })

  it("an id that was released or has ended is never used again, also by the agent that comes after", async () => {
    await start("prod-1")
    await release("prod-1")
    await stop("prod-1")
    expect(await start("prod-1")).toMatchObject({ kind: "refused" })
    await release("prod-2")
    expect(await start("prod-2")).toMatchObject({ because: expect.stringContaining("never used again") })
    await agent.close()
    await open()
    expect(await start("prod-1")).toMatchObject({ kind: "refused" })
    expect(await start("prod-2")).toMatchObject({ kind: "refused" })
    expect(await agent.instanceIds()).toEqual([])
  })

  it("an id that runs another artifact is not taken for what is ordered, as it would be after a store went back", async () => {
    await start("prod-1")
    expect(await start("prod-1")).toEqual({ kind: "done" })
    const other = { ...spec("prod-1"), digest: `sha256:${"0".repeat(64)}` } as const
    expect(await agent.startInstance(fence, other, signal)).toMatchObject({
      kind: "refused",
      because: `prod-1 runs another artifact, ${digest}; its id is never used again`,
    })
  })

  it("a crash between starting and writing it down leaves an instance that is known, and its id used up", async () => {
    await start("prod-1")
    await becomes("prod-1", "ready")
    await agent.close()
    const memory = JSON.parse(readFileSync(join(dir, "agent.json"), "utf8"))
    writeFileSync(join(dir, "agent.json"), JSON.stringify({ ...memory, started: [] }))
    await open()
    expect((await becomes("prod-1", "ready")).app).toBe("papi")
    expect(await start("prod-1")).toEqual({ kind: "done" })
    expect(await agent.instanceIds()).toEqual(["prod-1"])
  })

  it("an older control plane is refused in every verb, also after a restart", async () => {
    await agent.fence("papi", 2, signal)
    await agent.close()
    await open()
    const old = { ...fence, epoch: 1 }
    const stale = { kind: "refused", because: expect.stringContaining("stale: epoch 1 after 2") }
    expect(await agent.fence("papi", 1, signal)).toMatchObject(stale)
    expect(await agent.startInstance(old, spec("prod-1"), signal)).toMatchObject(stale)
    expect(await agent.stopInstance(old, "prod-1", 0, signal)).toMatchObject(stale)
    expect(await agent.releaseInstance(old, "prod-1", 0, signal)).toMatchObject(stale)
    expect(await agent.setRoutes(old, [], signal)).toMatchObject(stale)
    expect(await agent.keepArtifacts?.(old, [digest], signal)).toMatchObject(stale)
    expect(await agent.fence("other", 1, signal)).toEqual({ kind: "done" })
  })

  it("inside an epoch the router refuses an older generation, and the agent says so", async () => {
    expect(await agent.setRoutes({ ...fence, generation: 8 }, [], signal)).toEqual({ kind: "applied" })
    expect(await agent.setRoutes({ ...fence, generation: 7 }, [], signal)).toMatchObject({
      kind: "refused",
      code: "stale",
    })
  })

  it("an instance of one application cannot be stopped for another", async () => {
    await start("prod-1")
    await release("prod-1")
    expect(await agent.stopInstance({ ...fence, app: "other" }, "prod-1", 0, signal)).toMatchObject({
      because: "prod-1 belongs to another application",
    })
  })

  it("an instance that outgrows its memory is ended, and that is why", async () => {
    await start("prod-1", { memory: 150 * 1024 * 1024 })
    const { address } = await becomes("prod-1", "ready")
    await fetch(`http://${address}/leak`).catch(() => undefined)
    expect((await becomes("prod-1", "ended")).exit?.because).toMatch(
      /^out of memory: it used \d+ MB, its limit is 150 MB$/,
    )
  })

  it("while the kill switch is set nothing is changed, and what runs goes on", async () => {
    await start("prod-1")
    await becomes("prod-1", "ready")
    await release("prod-1")
    writeFileSync(join(dir, "kill-switch"), "")
    const refused = { kind: "refused", because: expect.stringContaining("kill switch") }
    expect(await start("prod-2")).toMatchObject(refused)
    expect(await stop("prod-1")).toMatchObject(refused)
    expect(await agent.setRoutes(fence, [], signal)).toMatchObject(refused)
    expect(await agent.keepArtifacts?.(fence, [digest], signal)).toMatchObject(refused)
    expect((await see("prod-1"))?.state).toBe("ready")
    rmSync(join(dir, "kill-switch"))
    expect(await stop("prod-1")).toEqual({ kind: "done" })
  })

  it("a file that somebody changes on an instance is reported with it", async () => {
    await start("prod-1")
    await becomes("prod-1", "ready")
    const app = join(dir, "run", "prod-1", "app")
    chmodSync(app, 0o755)
    writeFileSync(join(app, "extra.js"), "")
    const deadline = Date.now() + 30_000
    while ((await see("prod-1"))?.differences.length === 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await see("prod-1"))?.differences).toEqual([{ path: "extra.js", what: "added" }])
  })

  it("what was built here and is kept no longer goes when nothing runs from it, also under the agent that comes after", async () => {
    const artifacts = artifactFolder(join(dir, "artifacts"))
    writeFileSync(join(dir, "tree", "server.js"), `${server}// the next one`)
    const next = (await artifacts.add(join(dir, "tree"))).digest
    const keep = async (...list: Digest[]) => agent.keepArtifacts?.(fence, list, signal)
    const old = new Date(Date.now() - 3_600_000)
    for (const one of [digest, next]) utimesSync(join(dir, "artifacts", `${one.slice(7)}.json`), old, old)
    expect(await keep(digest, next)).toEqual({ kind: "done", removed: 0, bytes: 0, left: 0 })
    await start("prod-1")
    await becomes("prod-1", "ready")
    expect(await keep(next)).toMatchObject({ removed: 0, left: 1 })
    await agent.close()
    await open()
    expect(await keep(next)).toMatchObject({ removed: 0, left: 1 })
    expect((await see("prod-1"))?.differences).toEqual([])
    await release("prod-1")
    await stop("prod-1")
    expect(await keep(next)).toEqual({ kind: "done", removed: 1, bytes: server.length, left: 0 })
    expect([await agent.hasArtifact?.(digest, signal), await agent.hasArtifact?.(next, signal)]).toEqual([
      false,
      true,
    ])
    await expect(start("prod-2")).rejects.toThrow(`there is no artifact ${digest}`)
  })

  it("whose build it was is known when it ends; while a job runs nothing of its application goes", async () => {
    const tree = mkdtempSync(join(dir, "built-"))
    writeFileSync(join(tree, "papi.json"), "{}")
    const commit = "b".repeat(40)
    const build = async (id: string, command: string | undefined) => {
      await agent.putSource(fence, commit, packed(tree), signal)
      const what = { kind: "build", id, server: "local", commit, command, output: "." } as const
      await agent.runJob(fence, { ...what, network: "none", timeout: 60_000 }, undefined, signal)
    }
    await build("papi-build-1", undefined)
    const built = await until("the build to end", async () => {
      const { jobs } = await agent.observe(["papi"], signal)
      const [outcome] = jobs.map((job) => job.outcome)
      return outcome?.kind === "built" ? outcome.digest : undefined
    })
    const old = new Date(Date.now() - 3_600_000)
    utimesSync(join(dir, "artifacts", `${built.slice(7)}.json`), old, old)
    await build("papi-build-2", "sleep 2")
    expect(await agent.keepArtifacts?.(fence, [digest], signal)).toMatchObject({
      kind: "refused",
      because: "a job of papi runs here, and may need what is there",
    })
    await until("the other build to end", async () => {
      const { jobs } = await agent.observe(["papi"], signal)
      return jobs.every(({ state }) => state === "ended")
    })
    // It built the same once more, so it is young again.
    expect(await agent.keepArtifacts?.(fence, [digest], signal)).toMatchObject({ removed: 0, left: 1 })
    utimesSync(join(dir, "artifacts", `${built.slice(7)}.json`), old, old)
    expect(await agent.keepArtifacts?.(fence, [digest], signal)).toMatchObject({ removed: 1, left: 0 })
  })

  it("a folder has one agent", () => {
    const only = becomeOnlyAgent(dir)
    expect(() => becomeOnlyAgent(dir)).toThrow(`another agent works in ${dir}; stop it first`)
    only.release()
    becomeOnlyAgent(dir).release()
  })
})
