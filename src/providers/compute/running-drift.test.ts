import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { artifactFolder, discard } from "../../agent/artifacts.ts"
import type { Compute } from "../../ports/compute.ts"
import { specOf } from "../../testing/compute-world.ts"
import { until } from "../../testing/router-world.ts"
import { systemClock } from "../clock/system.ts"
import { processCompute } from "./process.ts"

/** Users of their own need root and setpriv. */
const canBe = process.getuid?.() === 0 && spawnSync("setpriv", ["--version"]).status === 0
if (!canBe) process.stderr.write("SKIPPED, what drifts in running processes: needs root and setpriv\n")

const server = `
const { createServer } = require("node:http")
const { writeFileSync } = require("node:fs")
const { spawn } = require("node:child_process")
createServer((request, response) => {
  if (request.url === "/child") spawn("sleep", ["60"], { detached: true })
  if (request.url === "/debug") require("node:inspector").open(0, "127.0.0.1")
  if (request.url === "/write") writeFileSync("/tmp/immunity-state-of-" + process.env.IMMUNITY_INSTANCE, "kept")
  if (request.url === "/own") writeFileSync(process.env.TMPDIR + "/own", "kept")
  response.end("well")
}).listen(process.env.PORT, "127.0.0.1")
`

describe.skipIf(!canBe)("what runs is compared with what was started, beyond its files", () => {
  const signal = AbortSignal.timeout(120_000)
  const id = `papi-prod-r1-${process.pid}`
  const state = `/tmp/immunity-state-of-${id}`
  let dir: string
  let compute: Compute
  let stranger: ChildProcess | undefined

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "immunity-running-"))
    chmodSync(dir, 0o711)
    mkdirSync(join(dir, "tree"))
    writeFileSync(join(dir, "tree", "server.js"), server)
    const artifacts = artifactFolder(join(dir, "artifacts"))
    const { digest } = await artifacts.add(join(dir, "tree"))
    const path = `${dirname(process.execPath)}:/usr/bin:/bin`
    compute = processCompute({
      dir: join(dir, "agent"),
      artifacts,
      clock: systemClock,
      path,
      settling: 1_500,
    })
    await compute.start(
      specOf(id, digest, { env: { GREETING: "hello" } }),
      { app: "papi", epoch: 1, generation: 1 },
      signal,
    )
    await ask("/")
    await until("it to have settled", async () => {
      await differences()
      return record().settled !== undefined || undefined
    })
  })
  afterEach(async () => {
    stranger?.kill("SIGKILL")
    stranger = undefined
    await compute.stop(id, 0, signal)
    await compute.forget(id)
    await discard(dir)
    rmSync(state, { force: true })
  })

  const record = (): { readonly pid: number; readonly uid: number; readonly settled?: unknown } =>
    JSON.parse(readFileSync(join(dir, "agent", "run", id, "instance.json"), "utf8"))
  const differences = async () =>
    (await compute.list(signal)).flatMap((one) => one.differences.map(({ path, what }) => `${path} ${what}`))
  const found = () =>
    until("a finding", async () => {
      const now = await differences()
      return now.length > 0 ? now : undefined
    })
  const ask = (path: string) =>
    until(`an answer to ${path}`, async () => {
      const address = (await compute.list(signal))[0]?.address
      return fetch(`http://${address}${path}`).then(
        (answer) => answer.ok,
        () => undefined,
      )
    })

  it("what it forks itself, detached or not, and what it keeps in its own folder is no finding", async () => {
    await ask("/child")
    await ask("/own")
    for (let looks = 0; looks < 5; looks++) {
      await new Promise((resolve) => setTimeout(resolve, 600))
      expect(await differences()).toEqual([])
    }
  })

  it("somebody who runs something as its user is found by name", async () => {
    const { uid } = record()
    const as = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "sleep", "60"]
    stranger = spawn("setsid", as, { env: { PATH: "/usr/bin:/bin" }, cwd: "/", stdio: "ignore" })
    expect(await found()).toEqual(["process sleep added"])
  })

  it("a debugger that is opened on it is a port that it did not have", async () => {
    await ask("/debug")
    expect(await found()).toEqual([expect.stringMatching(/^port 127\.0\.0\.1:\d+ added$/)])
  })

  it("state that it writes outside of its own folder is told as that", async () => {
    await ask("/write")
    expect(await found()).toEqual([`${state} written`])
    expect(existsSync(state)).toBe(true)
  })
})
