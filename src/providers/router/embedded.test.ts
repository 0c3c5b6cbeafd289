import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { routerContract } from "../../testing/router-contract.ts"
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

it("a router that is not there: it is said in words that nobody answers", async () => {
  const router = embeddedRouter({ dir: join(tmpdir(), "nowhere") })
  const signal = AbortSignal.timeout(30_000)
  await expect(router.state(signal)).rejects.toThrow(/nobody answers at nowhere\/control\.sock/)
  await expect(router.counters(signal)).rejects.toThrow(/nobody answers at nowhere\/stats\.sock/)
})
