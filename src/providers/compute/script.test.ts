import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Digest } from "../../core/model/ids.ts"
import { until } from "../../testing/router-world.ts"
import { systemClock } from "../clock/system.ts"
import { callDriver, type Driver } from "./driver-call.ts"
import { scriptCompute } from "./script.ts"

const signal = () => AbortSignal.timeout(60_000)

describe("a driver is an executable that may be anything", () => {
  let dir: string

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "immunity-script-"))
    mkdirSync(join(dir, "driver"))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const driver = (script: string, patienceMs = 20_000): Driver => {
    const file = join(dir, "driver.sh")
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return { file, dir: join(dir, "driver"), path: "/usr/bin:/bin", patienceMs }
  }
  const list = (script: string, patienceMs?: number) =>
    callDriver(driver(script, patienceMs), "list", {}, signal())

  it("gets its verb, its document and an environment of four variables, and nothing else", async () => {
    process.env.IMMUNITY_SECRET_OF_THE_AGENT = "do not tell"
    await list(`cat >asked; env >env; echo "$@" >verb; echo '{"version":1,"instances":[]}'`)
    delete process.env.IMMUNITY_SECRET_OF_THE_AGENT
    const read = (name: string) => readFileSync(join(dir, "driver", name), "utf8").trim()
    expect([read("verb"), JSON.parse(read("asked"))]).toEqual(["list", { version: 1 }])
    const names = read("env")
      .split("\n")
      .map((line) => line.split("=")[0])
    // What a shell sets for itself is its own.
    const own = new Set(["PWD", "OLDPWD", "SHLVL", "_"])
    expect(names.filter((name) => !own.has(name ?? "")).sort()).toEqual([
      "HOME",
      "IMMUNITY_DRIVER_DIR",
      "LANG",
      "PATH",
    ])
  })

  it("that hangs is ended with all that it started, and said to have hung", async () => {
    const script = "sleep 600 & echo $! >pid; cat >/dev/null; sleep 600"
    await expect(list(script, 1_000)).rejects.toThrow(/was ended in `list`: it took longer than 1 s/)
    const pid = Number(readFileSync(join(dir, "driver", "pid"), "utf8"))
    await until("its child to be gone", async () => {
      const stat = `/proc/${pid}/stat`
      return !existsSync(stat) || /\) Z /.test(readFileSync(stat, "utf8"))
    })
  })

  it("is not waited for by what it left running with its output open", async () => {
    const answer = await list(`sleep 600 & echo $! >pid; echo '{"version":1,"instances":[]}'`)
    process.kill(Number(readFileSync(join(dir, "driver", "pid"), "utf8")), "SIGKILL")
    expect(answer.instances).toEqual([])
  })

  it("ends when whoever asked has gone", async () => {
    const leaving = new AbortController()
    const asked = callDriver(driver("sleep 600"), "list", {}, leaving.signal)
    leaving.abort()
    await expect(asked).rejects.toThrow("it was asked to stop")
  })

  it.each([
    [
      "fails",
      "echo cannot reach the platform >&2; exit 4",
      /exit code 4; it said: cannot reach the platform/,
    ],
    ["says nothing", "exit 0", /what is not JSON: nothing/],
    ["chats", "echo hello", /what is not JSON: "hello\\n"/],
    ["floods", "yes", /it wrote more than 4 MB/],
    [
      "invents states",
      `echo '{"version":1,"instances":[{"id":"a","state":"fine","startedAt":"2026-01-01T00:00:00Z"}]}'`,
      /what the protocol does not know: \/instances\/0\/state/,
    ],
    ["speaks of itself", `echo '{"version":2,"instances":[]}'`, /the protocol does not know: \/version/],
    [
      "refuses in its own words",
      `echo '{"version":1,"refused":"the quota of the region is used up","code":"no-capacity"}'; exit 1`,
      /refused `list`: the quota of the region is used up/,
    ],
  ])("that %s is told so", async (_, script, says) => {
    await expect(list(script)).rejects.toThrow(says)
  })

  it("whose list fails is believed by its last word: a swap back does not wait for it", async () => {
    const running = `{"id":"papi-prod-1","state":"running","address":"127.0.0.1:1","startedAt":"2026-01-01T00:00:00Z"}`
    const compute = scriptCompute({
      dir,
      driver: driver(
        `test -e broken && exit 1; case $1 in list) echo '{"version":1,"instances":[${running}]}';; *) echo '{"version":1,"logs":{}}';; esac`,
      ),
      clock: systemClock,
      artifactAt: async () => dir,
    })
    expect((await compute.list(signal())).map(({ state }) => state)).toEqual(["running"])
    writeFileSync(join(dir, "driver", "broken"), "")
    // A change, also one that fails, ends what was shared.
    await expect(compute.stop("papi-prod-1", 0, signal())).rejects.toThrow("exit code 1")
    expect((await compute.list(signal())).map(({ state }) => state)).toEqual(["running"])
  })

  it("is never run more than four times at one moment to change something", async () => {
    const compute = scriptCompute({
      dir,
      driver: driver(
        `mkdir -p now; touch now/$$; ls now | wc -l >>seen; sleep 0.2; rm now/$$; echo '{"version":1}'`,
      ),
      clock: systemClock,
      artifactAt: async () => dir,
    })
    const spec = (number: number) => ({
      id: `papi-prod-${number}`,
      server: "local",
      region: "prod",
      release: "c".repeat(40),
      digest: `sha256:${"1".repeat(64)}` as Digest,
      run: {
        start: "true",
        health: { path: "/", every: 100, timeout: 1_000, healthy: 1, unhealthy: 3 },
        drain: 1_000,
        env: {},
        keep: 1,
      },
    })
    const by = { app: "papi", epoch: 1, generation: 1 }
    await Promise.all(Array.from({ length: 10 }, (_, number) => compute.start(spec(number), by, signal())))
    const seen = readFileSync(join(dir, "driver", "seen"), "utf8")
      .trim()
      .split("\n")
      .map(Number)
    expect(seen).toHaveLength(10)
    expect(Math.max(...seen)).toBeLessThanOrEqual(4)
  })
})
