import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { connectAgent, shutdownAgent } from "../../src/agent/client.ts"
import type { RouteSpec } from "../../src/core/pipeline/effects.ts"
import { openFolders, processesOf } from "../../src/main/demo/leftovers.ts"
import type { AgentInstance } from "../../src/ports/agent.ts"
import { findHaproxy } from "../../src/providers/router/haproxy/program.ts"
import { specOf } from "../../src/testing/compute-world.ts"
import { until } from "../support/until.ts"

const signal = AbortSignal.timeout(600_000)
const commit = "a".repeat(40)
const fence = { app: "papi", epoch: 1, generation: 1 }

describe("an agent that is killed", () => {
  const dir = mkdtempSync(join(tmpdir(), "immunity-killed-"))
  const folder = join(dir, "agent")
  const agent = connectAgent({ server: "local", socketPath: join(folder, "agent.sock") })
  let child: ChildProcess
  let said = ""

  const begin = () => {
    const args = ["agent", "--dir", folder, "--router-dir", join(dir, "router")]
    const started = spawn("bin/immunity", args, { stdio: ["ignore", "ignore", "pipe"] })
    started.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString()
    })
    return started
  }

  const kill = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await ended
  }

  beforeAll(async () => {
    child = begin()
    await until("the agent", async () => (await agent.observe(["papi"], signal)).router)
    await agent.fence("papi", 1, signal)
    mkdirSync(join(dir, "tree"))
    writeFileSync(
      join(dir, "tree", "server.js"),
      'require("http").createServer((q, a) => a.end(String(process.pid))).listen(process.env.PORT, "127.0.0.1")\n',
    )
  })

  afterAll(async () => {
    await shutdownAgent(join(folder, "agent.sock"), AbortSignal.timeout(60_000))
    await until("everything to end", async () => (processesOf(dir).length === 0 ? true : undefined))
    openFolders(dir)
    rmSync(dir, { recursive: true, force: true })
  })

  const build = async (id: string, command: string): Promise<void> => {
    const tar = execFileSync("tar", ["-c", "-C", join(dir, "tree"), "."])
    await agent.putSource(fence, commit, Readable.from([tar]), signal)
    const order = { server: "local", timeout: 60_000, commit, output: ".", network: "none" } as const
    await agent.runJob(fence, { kind: "build", id, command, ...order }, undefined, signal)
  }

  const outcome = (id: string) =>
    until(
      `${id} to end`,
      async () => (await agent.observe(["papi"], signal)).jobs.find((job) => job.id === id)?.outcome,
    )

  const ready = (id: string): Promise<AgentInstance> =>
    until(`${id} to be ready`, async () =>
      (await agent.observe(["papi"], signal)).instances.find(
        (instance) => instance.id === id && instance.state === "ready",
      ),
    )

  it("comes back to its instances: the same processes, in its hands again, and not one more", async () => {
    await build("first", "true")
    const built = await outcome("first")
    if (built.kind !== "built") throw new Error(JSON.stringify(built))
    const instance = { ...specOf("prod-1", built.digest), release: commit }
    expect(await agent.startInstance(fence, instance, signal)).toEqual({ kind: "done" })
    const { address } = await ready("prod-1")
    const pid = await text(address)
    const router = (await agent.observe(["papi"], signal)).router?.pid
    await kill()
    expect(await text(address)).toBe(pid)
    child = begin()
    expect((await ready("prod-1")).address).toBe(address)
    expect(await text(address)).toBe(pid)
    expect((await agent.observe(["papi"], signal)).router?.pid).toBe(router)
    expect(await agent.startInstance(fence, instance, signal)).toEqual({ kind: "done" })
    expect((await agent.observe(["papi"], signal)).instances).toHaveLength(1)
    expect(await agent.fence("papi", 0, signal)).toMatchObject({ kind: "refused" })
    await agent.releaseInstance(fence, "prod-1", 0, signal)
    expect(await agent.stopInstance(fence, "prod-1", 1_000, signal)).toEqual({ kind: "done" })
    expect(await agent.startInstance(fence, instance, signal)).toMatchObject({ kind: "refused" })
  })

  it.skipIf(findHaproxy() === undefined)(
    "leaves HAProxy serving, and the next agent goes on with it: the same process, the newest table",
    async () => {
      const servers = ["one", "two"].map((name) => createServer((_asked, answer) => answer.end(name)))
      const addresses = await Promise.all(
        servers.map(async (server) => {
          await once(server.listen(0, "127.0.0.1"), "listening")
          return `127.0.0.1:${(server.address() as AddressInfo).port}`
        }),
      )
      const set = (generation: number, ...names: readonly number[]) => {
        const routes = names.map((name): RouteSpec => {
          const instances = [{ id: `haproxy-${name}`, address: addresses[name] ?? "" }]
          const pools = [{ pool: `r${name}`, weight: 100, instances }]
          const rest = { salt: "", sticky: { by: "none" }, stable: undefined, mirror: undefined } as const
          return { route: "papi/prod", router: "haproxy", listen: "127.0.0.1:0", pools, ...rest }
        })
        return agent.setRoutes({ ...fence, generation }, routes, signal)
      }
      expect(await set(10, 0)).toEqual({ kind: "applied" })
      const listener = async () => (await agent.observe(["papi"], signal)).router?.listeners["papi/prod"]
      const address = await until("HAProxy", listener)
      const haproxies = () => processesOf(join(dir, "router", "haproxy")).map(({ pid }) => pid)
      const before = haproxies()
      expect(await text(address)).toBe("one")
      await kill()
      expect(await text(address)).toBe("one")
      child = begin()
      expect(await until("the next agent", listener)).toBe(address)
      expect(await set(11, 1)).toEqual({ kind: "applied" })
      expect(await text(address)).toBe("two")
      expect(haproxies()).toEqual(before)
      expect(await set(12)).toEqual({ kind: "applied" })
      for (const server of servers) {
        server.closeAllConnections()
        server.close()
      }
    },
    300_000,
  )

  it("a second agent on its folder is refused before it touches anything", async () => {
    await build("long", "sleep 3")
    const second = begin()
    const code = await new Promise((resolve) => second.once("exit", resolve))
    expect(code).not.toBe(0)
    expect(said).toContain("another agent works in")
    expect((await outcome("long")).kind).toBe("built")
  })

  it.runIf(process.platform === "linux")(
    "takes its builds with it: none runs on unseen, and the next agent says what became of them",
    async () => {
      const mark = `47${process.pid}`
      await build("cut", `setsid sleep ${mark} & sleep ${mark}`)
      await until("the build to run", async () => (sleepers(mark).length >= 2 ? true : undefined))
      await kill()
      await until("the build to end", async () => (sleepers(mark).length === 0 ? true : undefined))
      child = begin()
      expect(await outcome("cut")).toEqual({
        kind: "failed",
        because: "its agent was restarted while it ran",
      })
    },
    300_000,
  )
})

const text = async (address: string | undefined): Promise<string> =>
  (await fetch(`http://${address}/`)).text()

const sleepers = (seconds: string): readonly string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return (
        existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${seconds}\0`
      )
    } catch {
      return false
    }
  })
