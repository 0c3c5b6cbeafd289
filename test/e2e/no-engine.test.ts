import { spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { openFolders, temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { immunity } from "../support/run.ts"
import { until } from "../support/until.ts"

const minutes = 60_000

it(
  "a control plane whose container engine is away starts, says so first thing, and doctor names it",
  async () => {
    const dir = temporaryFolder("immunity-no-engine")
    const socket = join(dir, "nobody.sock")
    const args = ["serve", "--dir", dir, "--port", "0", "--compute", "docker", "--engine", socket]
    const serve = spawn("bin/immunity", args, { stdio: ["ignore", "pipe", "pipe"] })
    const ended = new Promise((resolve) => serve.once("exit", resolve))
    let said = ""
    for (const stream of [serve.stdout, serve.stderr]) stream.on("data", (chunk) => (said += chunk))
    const because = `no container engine answers at ${socket} (ENOENT)`
    await until(
      "it to be told",
      async () => (said.includes(because) && said.includes("immunity serves")) || undefined,
      minutes,
    )
    const url = /immunity serves (\S+)/.exec(said)?.[1] ?? ""
    const looked = await immunity(["doctor", "--dir", dir, "--server", url])
    expect(looked.code).toBe(1)
    expect(looked.stdout).toMatch(/problem +agent +local: .*no container engine answers/)
    serve.kill("SIGTERM")
    await ended
    await immunity(["agent", "stop", "--dir", dir, "--yes"])
    openFolders(dir)
    rmSync(dir, { recursive: true, force: true })
  },
  2 * minutes,
)
