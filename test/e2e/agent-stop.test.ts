import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { openFolders, processesOf } from "../../src/main/demo/leftovers.ts"
import { immunity } from "../support/run.ts"
import { minutes, until } from "../support/until.ts"

it(
  "whoever is done ends agent, router and instances with one command, and not while the control plane runs",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "immunity-stop-"))
    const stop = () => immunity(["agent", "stop", "--dir", dir, "--yes"])
    const serve = spawn("bin/immunity", ["serve", "--dir", dir, "--port", "0"], { stdio: "ignore" })
    const ended = new Promise((resolve) => serve.once("exit", resolve))
    const running = (what: string) => processesOf(dir).some(({ name }) => name.includes(` ${what} --`))
    await until("agent and router", async () => (running("agent") && running("router")) || undefined, minutes)
    const early = await stop()
    expect([early.code, early.stdout]).toEqual([1, ""])
    expect(early.stderr).toContain("is already open for writing by process")
    serve.kill("SIGTERM")
    await ended
    expect(running("agent")).toBe(true)
    expect(await stop()).toMatchObject({
      code: 0,
      stdout: "stopped: the agent, its router and every instance\n",
    })
    await until("everything to be gone", async () => processesOf(dir).length === 0 || undefined, minutes)
    expect((await stop()).stderr).toContain("no agent answers at")
    openFolders(dir)
    rmSync(dir, { recursive: true, force: true })
  },
  3 * minutes,
)
