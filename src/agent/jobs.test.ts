import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Readable } from "node:stream"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { JobSpec } from "../core/pipeline/effects.ts"
import type { JobOutcome } from "../core/pipeline/input.ts"
import { processBuilder } from "../providers/builder/index.ts"
import { systemClock } from "../providers/clock/system.ts"
import { artifactFolder, discard } from "./artifacts.ts"
import { confinedUser, processSandbox } from "./confine.ts"
import { Jobs, logPath } from "./jobs.ts"

const commit = "a".repeat(40)
const path = `${dirname(process.execPath)}:/usr/bin:/bin`
const namespaces = process.platform === "linux"

describe("builds and tests", () => {
  let dir: string
  let jobs: Jobs
  let builds = 0

  const open = async () => {
    const artifacts = artifactFolder(join(dir, "artifacts"))
    jobs = await Jobs.open({
      dir,
      clock: systemClock,
      artifacts,
      sandbox: processSandbox,
      builder: processBuilder({ sandbox: processSandbox, artifacts, path }),
      path,
    })
  }

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "immunity-jobs-"))
    mkdirSync(join(dir, "logs"))
    await open()
  })

  afterEach(async () => {
    await jobs.stop()
    await discard(dir)
  })

  type Build = Extract<JobSpec, { kind: "build" }>
  const start = async (command: string | undefined, more: Partial<Build> = {}): Promise<string> => {
    const id = `papi-build-${++builds}`
    const tree = join(dir, `tree-${builds}`)
    mkdirSync(tree)
    writeFileSync(join(tree, "server.js"), "listen()\n")
    const tar = execFileSync("tar", ["-c", "-C", tree, "."])
    await jobs.putSource(more.commit ?? commit, Readable.from([tar]))
    await jobs.run(
      "papi",
      {
        kind: "build",
        id,
        server: "local",
        timeout: 30_000,
        commit,
        command,
        output: ".",
        network: "none",
        ...more,
      },
      undefined,
    )
    return id
  }

  const end = async (id: string): Promise<JobOutcome> => {
    const deadline = Date.now() + 60_000
    while (Date.now() < deadline) {
      const job = jobs.list().find((known) => known.id === id)
      if (job?.outcome) return job.outcome
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`${id} did not end`)
  }

  const build = async (command: string | undefined, more: Partial<Build> = {}) =>
    end(await start(command, more))
  const because = (outcome: JobOutcome): string =>
    outcome.kind === "failed" ? outcome.because : outcome.kind
  const log = (id: string): string =>
    existsSync(logPath(dir, id)) ? readFileSync(logPath(dir, id), "utf8") : ""
  const workspaces = (): readonly string[] =>
    readdirSync(
      join(tmpdir(), `immunity-work-${createHash("sha256").update(dir).digest("hex").slice(0, 16)}`),
    )

  it("the same commit built twice is the same artifact", async () => {
    const command = 'mkdir -p out && cp server.js out/ && echo cache > "$HOME/.cache" && echo x > "$TMPDIR/x"'
    const one = await build(command, { output: "out" })
    const two = await build(command, { output: "out" })
    expect(one.kind).toBe("built")
    expect(two).toEqual(one)
  })

  it("what a build keeps in its HOME is no part of the artifact", async () => {
    const plain = await build(undefined)
    const cached = await build('echo cache > "$HOME/.cache"; echo x > "$TMPDIR/x"')
    expect(cached).toEqual(plain)
  })

  it("a workspace is of one use: nothing of a build is there for the next, or left behind", async () => {
    await build("touch $HOME/planted ../planted planted 2>/dev/null; true")
    const id = await start('ls -a . .. "$HOME"; pwd')
    await end(id)
    expect(log(id)).not.toContain("planted")
    expect(workspaces()).toEqual([])
    expect(readdirSync(join(dir, "sources"))).toEqual([])
  })

  it("a build that fails says how, with its last line", async () => {
    expect(because(await build("echo no compiler; exit 3"))).toBe(
      "the build ended with exit code 3: no compiler",
    )
    expect(because(await build("kill -9 $$"))).toContain("the build was ended by SIGKILL")
  })

  it("a build that hangs is ended when its time is over, with everything that it started", async () => {
    const id = await start("(trap '' TERM; sleep 4711 & wait) & setsid sleep 4711 & sleep 4711", {
      timeout: 1_000,
    })
    expect(because(await end(id))).toContain("the build timed out after 1 s and was ended")
    if (namespaces) expect(sleepers("4711")).toEqual([])
  })

  it("a flood of output is cut off, and said to be", async () => {
    const id = await start("yes flood | head -c 60000000; echo; echo done")
    expect((await end(id)).kind).toBe("built")
    expect(log(id).length).toBeLessThan(11 * 1024 * 1024)
    expect(log(id)).toContain("output cut at 10 MB")
  })

  it.runIf(namespaces)(
    "a fork bomb is bounded and ends with its build",
    async () => {
      const id = await start("b() { sleep 4712 & b; }; b", { timeout: 3_000 })
      expect((await end(id)).kind).toBe("failed")
      expect(sleepers("4712")).toEqual([])
    },
    300_000,
  )

  it.runIf(namespaces)("a daemon does not outlive its build", async () => {
    expect((await build("setsid -f sleep 4713 >/dev/null 2>&1; true")).kind).toBe("built")
    expect(sleepers("4713")).toEqual([])
  })

  it.runIf(namespaces)("has no network unless the pipeline allows it; its own loopback works", async () => {
    const server = createServer((socket) => socket.end("hello"))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" && address ? address.port : 0
    const dial = `node -e 'require("net").connect(${port}, "127.0.0.1").on("data", () => process.exit(0)).on("error", (e) => { console.log(e.code); process.exit(9) })'`
    const talk = `node -e 'const s = require("net").createServer((c) => c.end("x")).listen(0, "127.0.0.1", () => require("net").connect(s.address().port, "127.0.0.1").on("data", () => process.exit(0)))'`
    try {
      expect(because(await build(dial))).toContain("exit code 9")
      expect((await build(dial, { network: "allowed" })).kind).toBe("built")
      expect((await build(talk)).kind).toBe("built")
      expect(because(await build("echo getaddrinfo ENOTFOUND registry; exit 1"))).toContain(
        "build.network: allowed",
      )
    } finally {
      server.close()
    }
  })

  it.runIf(process.getuid?.() === 0)("runs as nobody, and can read none of our files", async () => {
    const secret = join(dir, "token")
    writeFileSync(secret, "secret", { mode: 0o600 })
    const id = await start(`id -u; cat ${secret}; ls ${dir}; true`)
    await end(id)
    expect(log(id)).toContain(String(confinedUser()))
    expect(log(id)).not.toContain("secret\n")
    expect(log(id)).toContain("Permission denied")
  })

  it("an output that leads out of the workspace is refused, also by way of a link", async () => {
    expect(because(await build("true", { output: "../.." }))).toContain("lies outside of the workspace")
    expect(because(await build("ln -s /etc out", { output: "out" }))).toContain(
      "build.output out lies outside of the workspace",
    )
    expect(because(await build("ln -s /etc/passwd passwd"))).toContain("outside of the artifact")
    expect(because(await build("mkfifo pipe"))).toContain("neither a file nor a folder")
    expect(because(await build("true", { output: "dist" }))).toContain("the build left no folder dist")
  })

  it("a source larger than it may be is refused, and nothing of it is kept", async () => {
    const chunk = Buffer.alloc(64 * 1024 * 1024)
    const flood = Readable.from(
      (function* () {
        for (let i = 0; i < 32; i++) yield chunk
      })(),
    )
    await expect(jobs.putSource(commit, flood)).rejects.toThrow("larger than 1024 MiB")
    expect(readdirSync(join(dir, "sources"))).toEqual([])
  })

  it("a job that its agent did not live to see the end of has failed, and says so", async () => {
    const id = await start("echo begun; sleep 30")
    while (!log(id).includes("begun")) await new Promise((resolve) => setTimeout(resolve, 20))
    await jobs.stop()
    await end(id)
    writeFileSync(
      join(dir, "jobs", `${id}.json`),
      JSON.stringify({ id, app: "papi", state: "running", startedAt: 0 }),
    )
    await open()
    expect(because(await end(id))).toBe("its agent was restarted while it ran")
  })
})

const sleepers = (seconds: string): readonly string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${seconds}\0`
    } catch {
      return false
    }
  })
