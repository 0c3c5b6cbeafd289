import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import {
  ask,
  Cleanup,
  fetchFrom,
  instance,
  named,
  pool,
  rawClient,
  routeTo,
  type SeenState,
  type SeenStats,
  until,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const program = fileURLToPath(new URL("process.ts", import.meta.url))

type Program = {
  readonly child: ChildProcess
  readonly output: () => string
  readonly exit: Promise<number | null>
}

function run(dir: string): Program {
  const child = spawn(process.execPath, [program, "--dir", dir], { stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  child.stdout?.on("data", (chunk) => {
    output += chunk
  })
  child.stderr?.on("data", (chunk) => {
    output += chunk
  })
  cleanup.add(() => child.kill("SIGKILL"))
  return { child, output: () => output, exit: new Promise((resolve) => child.on("exit", resolve)) }
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "router-"))
  cleanup.add(() => rm(dir, { recursive: true, force: true }))
  return dir
}

const serving = (one: Program) => until("the router", () => one.output().includes('"serving"') || undefined)
const state = async (dir: string) => (await ask(join(dir, "control.sock"), "GET", "/state")).body as SeenState

async function routed(dir: string, to: { readonly address: string }): Promise<string> {
  const order = { app: "papi", epoch: 1, generation: 1, routes: [routeTo([pool("r1", 100, to)])] }
  expect((await ask(join(dir, "control.sock"), "PUT", "/table", order)).status).toBe(200)
  return (await state(dir)).listeners["papi/prod"] ?? ""
}

describe("the router's process", () => {
  it("serves again from its own file after a kill, with nobody to tell it anything", async () => {
    const dir = await folder()
    const first = run(dir)
    await serving(first)
    const address = await routed(dir, await named(cleanup, "one"))
    expect((await fetchFrom(address)).body).toBe("one")
    first.child.kill("SIGKILL")
    await first.exit
    await serving(run(dir))
    expect((await fetchFrom(address)).body).toBe("one")
  })

  it("serves from the state before when the last one is damaged, and says so", async () => {
    const dir = await folder()
    const first = run(dir)
    await serving(first)
    const address = await routed(dir, await named(cleanup, "one"))
    await ask(join(dir, "control.sock"), "POST", "/fence", { app: "papi", epoch: 2 })
    first.child.kill("SIGKILL")
    await first.exit
    await writeFile(join(dir, "state.json"), "torn")
    const second = run(dir)
    await serving(second)
    expect((await fetchFrom(address)).body).toBe("one")
    expect((await state(dir)).degraded).toMatch(/damaged/)
    expect(second.output()).toMatch(/"level":"error".*damaged/)
  })

  it.runIf(process.platform === "linux")("blames no instance when it may open no more files", async () => {
    const dir = await folder()
    const router = run(dir)
    await serving(router)
    const address = await routed(dir, await named(cleanup, "one"))
    const client = rawClient(cleanup, address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until("a first answer", () => /one$/.test(client.text()) || undefined)
    const { pid } = router.child
    const allow = (files: number) => execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${files}:`])
    const open = new Set(readdirSync(`/proc/${pid}/fd`))
    allow([...Array(open.size + 1).keys()].findIndex((file) => !open.has(String(file))))
    client.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    await until("an answer", () => /exhausted/.test(client.text()) || undefined)
    allow(1024)
    expect((await fetchFrom(address)).body).toBe("one")
    const stats = (await ask(join(dir, "stats.sock"), "GET", "/stats")).body as SeenStats
    expect(stats.routes["papi/prod"]?.pools.r1?.["r1-0"]).toMatchObject({
      aborted: 1,
      errors: { connect: 0 },
    })
  })

  it("refuses to start beside another one", async () => {
    const dir = await folder()
    await serving(run(dir))
    const second = run(dir)
    expect(await second.exit).toBe(1)
    expect(second.output()).toMatch(/another router answers at .*control\.sock/)
  })

  it("asked to end finishes what is under way, takes nothing new, and exits with 0", async () => {
    const dir = await folder()
    const one = run(dir)
    await serving(one)
    const slow = await instance(cleanup, (_, response) => {
      setTimeout(() => response.end("done"), 300)
    })
    const address = await routed(dir, slow)
    const idle = rawClient(cleanup, address)
    const answer = fetchFrom(address)
    await until("the request", () => slow.seen[0])
    one.child.kill("SIGTERM")
    const { body, headers } = await answer
    expect(body).toBe("done")
    expect(headers.connection).toBe("close")
    await idle.over
    expect(await one.exit).toBe(0)
    expect(existsSync(join(dir, "router.pid"))).toBe(false)
    await expect(fetchFrom(address)).rejects.toThrow()
  })

  it("goes on when nobody can watch it any more", async () => {
    const dir = await folder()
    await serving(run(dir))
    const address = await routed(dir, await named(cleanup, "one"))
    await rename(join(dir, "stats.sock"), join(dir, "stats.sock.gone"))
    await expect(ask(join(dir, "stats.sock"), "GET", "/stats")).rejects.toThrow(/ENOENT/)
    expect((await fetchFrom(address)).body).toBe("one")
    expect((await state(dir)).listeners["papi/prod"]).toBe(address)
    await rename(join(dir, "stats.sock.gone"), join(dir, "stats.sock"))
    expect((await ask(join(dir, "stats.sock"), "GET", "/stats")).status).toBe(200)
  })
})
