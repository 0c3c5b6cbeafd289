import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { routerContract } from "../../testing/router-contract.ts"
import { pool, routeTo, TestInstance, Users, until } from "../../testing/router-world.ts"
import { embeddedRouter } from "./embedded.ts"

const program = fileURLToPath(new URL("../../router/process.ts", import.meta.url))

routerContract("the embedded router", async () => {
  const dir = await mkdtemp(join(tmpdir(), "router-"))
  let child: ChildProcess | undefined
  const start = async () => {
    child = spawn(process.execPath, [program, "--dir", dir], { stdio: ["ignore", "pipe", "inherit"] })
    if (child.stdout) await once(child.stdout, "data")
  }
  const kill = async () => {
    if (!child) return
    child.kill("SIGKILL")
    await once(child, "exit")
  }
  await start()
  return {
    router: embeddedRouter({ dir }),
    async crash() {
      await kill()
      await start()
    },
    reconnect: async () => embeddedRouter({ dir }),
    async close() {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
})

it("tells which instances refuse its connections, so that this counts as evidence", async () => {
  const dir = await mkdtemp(join(tmpdir(), "router-"))
  const child = spawn(process.execPath, [program, "--dir", dir], { stdio: ["ignore", "pipe", "inherit"] })
  const users = new Users()
  const [well, gone] = [await TestInstance.start("well"), await TestInstance.start("gone")]
  try {
    await once(child.stdout, "data")
    const route = routeTo([pool("r1", 100, { well, gone })])
    await gone.stop()
    const router = embeddedRouter({ dir })
    const signal = () => AbortSignal.timeout(30_000)
    const order = { app: "papi", epoch: 1, generation: 1 }
    await router.setRoutes(order, [route], signal())
    expect((await router.state(signal())).refusing).toEqual([])
    const address = (await router.state(signal())).listeners["papi/prod"] ?? ""
    const refusing = await until("it to be left alone", async () => {
      expect((await users.get(address)).status).toBe(200)
      const found = (await router.state(signal())).refusing ?? []
      return found.length > 0 ? found : undefined
    })
    expect(refusing).toEqual(["gone"])
  } finally {
    users.leave()
    await well.stop()
    child.kill("SIGKILL")
    await once(child, "exit")
    await rm(dir, { recursive: true, force: true })
  }
})

it("a router that is not there: it is said in words that nobody answers", async () => {
  const router = embeddedRouter({ dir: join(tmpdir(), "nowhere") })
  const signal = AbortSignal.timeout(30_000)
  await expect(router.state(signal)).rejects.toThrow(/nobody answers at nowhere\/control\.sock/)
  await expect(router.counters(signal)).rejects.toThrow(/nobody answers at nowhere\/stats\.sock/)
})
