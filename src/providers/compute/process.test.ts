import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { artifactFolder, discard } from "../../agent/artifacts.ts"
import type { Digest } from "../../core/model/ids.ts"
import type { Compute, RunningInstance } from "../../ports/compute.ts"
import { specOf } from "../../testing/compute-world.ts"
import { systemClock } from "../clock/system.ts"
import { processCompute } from "./process.ts"

const signal = AbortSignal.timeout(600_000)
const by = { app: "papi", epoch: 1, generation: 1 }
const server = `
const http = require("http")
process.on("SIGTERM", () => { console.log("leaving"); process.exit(0) })
http.createServer((q, a) => {
  a.setHeader("x-home", process.env.HOME)
  if (q.url === "/crash") process.exit(7)
  if (q.url === "/who") return a.end(JSON.stringify({ uid: process.getuid(), pid: process.pid, env: process.env }))
  if (q.url === "/write") {
    let failed
    try { require("fs").writeFileSync("papi.json", "{}") } catch (error) { failed = error.code }
    return a.end(String(failed))
  }
  if (q.url === "/fork") {
    const child = require("child_process").spawn("sleep", ["600"], { detached: true, stdio: "ignore" })
    child.unref()
    return a.end(String(child.pid))
  }
  a.end("well")
}).listen(process.env.PORT, "127.0.0.1")
`

describe("instances as processes", () => {
  let dir: string
  let digest: Digest
  let compute: Compute

  const open = () =>
    processCompute({
      dir: join(dir, "agent"),
      artifacts: artifactFolder(join(dir, "artifacts")),
      clock: systemClock,
      path: `${dirname(process.execPath)}:/usr/bin:/bin`,
    })

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "immunity-compute-"))
    chmodSync(dir, 0o711)
    const tree = join(dir, "tree")
    mkdirSync(tree)
    writeFileSync(join(tree, "server.js"), server)
    writeFileSync(join(tree, "papi.json"), '{"flaw":"none"}')
    digest = (await artifactFolder(join(dir, "artifacts")).add(tree)).digest
    compute = open()
  })

  afterEach(async () => {
    for (const { id } of await compute.list(signal)) {
      await compute.stop(id, 0, signal)
      await compute.forget(id)
    }
    await discard(dir)
  })

  const spec = (id: string, start = "node server.js") =>
    specOf(id, digest, { start, env: { GREETING: "hello" } })

  const look = async (id: string): Promise<RunningInstance> => {
    const found = (await compute.list(signal)).find((running) => running.id === id)
    if (!found) throw new Error(`${id} is not there`)
    return found
  }

  const ask = async (id: string, path: string): Promise<string> => {
    const { address } = await look(id)
    return until(`${id} to answer ${path}`, () =>
      fetch(`http://${address}${path}`).then(
        // Another program of this machine may have been faster on a port that was free.
        (answer) => (answer.headers.get("x-home")?.startsWith(dir) ? answer.text() : undefined),
        () => undefined,
      ),
    )
  }

  const ended = (id: string) =>
    until(`${id} to end`, async () => ((await look(id)).state === "ended" ? look(id) : undefined))

  it("starts in a read-only copy of its artifact, with its port and names, and nothing of ours", async () => {
    process.env.IMMUNITY_SECRET_OF_THE_AGENT = "do not tell"
    await compute.start(spec("prod-1"), by, signal)
    const { env } = JSON.parse(await ask("prod-1", "/who"))
    delete process.env.IMMUNITY_SECRET_OF_THE_AGENT
    expect(env).toMatchObject({ GREETING: "hello", IMMUNITY_INSTANCE: "prod-1", IMMUNITY_REGION: "prod" })
    expect(Object.keys(env)).not.toContain("IMMUNITY_SECRET_OF_THE_AGENT")
    const app = join(dir, "agent", "run", "prod-1", "app")
    expect(statSync(join(app, "server.js")).mode & 0o222).toBe(0)
    expect(statSync(app).mode & 0o222).toBe(0)
  })

  it.runIf(process.getuid?.() === 0)(
    "runs as a user of its own where we are root: it can change no file of its artifact and see no neighbour",
    async () => {
      await compute.start(spec("prod-1"), by, signal)
      await compute.start(spec("prod-2"), by, signal)
      const one = JSON.parse(await ask("prod-1", "/who"))
      const two = JSON.parse(await ask("prod-2", "/who"))
      expect(one.uid).not.toBe(0)
      expect(one.uid).not.toBe(two.uid)
      expect(await ask("prod-1", "/write")).toBe("EACCES")
      const home = statSync(join(dir, "agent", "run", "prod-1"))
      expect([home.uid, home.gid, home.mode & 0o777]).toEqual([0, one.uid, 0o710])
    },
  )

  it("who does not listen is ended after the grace, and what it forked with it", async () => {
    await compute.start(
      spec("prod-1", `trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & while :; do sleep 1; done`),
      by,
      signal,
    )
    await compute.stop("prod-1", 200, signal)
    expect((await look("prod-1")).state).toBe("ended")
    expect(processesIn(join(dir, "agent", "run", "prod-1"))).toEqual([])
  })

  it("a crash is told with its exit code, and a daemon it left behind is ended", async () => {
    await compute.start(spec("prod-1"), by, signal)
    const daemon = Number(await ask("prod-1", "/fork"))
    await fetch(`http://${(await look("prod-1")).address}/crash`).catch(() => undefined)
    expect((await ended("prod-1")).exit).toMatchObject({ code: 7, because: "ended with exit code 7" })
    await until("the daemon to be gone", async () => (lives(daemon) ? undefined : true))
  })

  it("a command that does not exist is a crash with the shell's words in the log", async () => {
    await compute.start(spec("prod-1", "no-such-command"), by, signal)
    expect((await ended("prod-1")).exit?.code).toBe(127)
    expect(readFileSync(join(dir, "agent", "logs", "prod-1.log"), "utf8")).toContain("not found")
  })

  it("a pid that belongs to somebody else by now is neither called alive nor ended", async () => {
    await compute.start(spec("prod-1"), by, signal)
    await ask("prod-1", "/")
    const file = join(dir, "agent", "run", "prod-1", "instance.json")
    const record = JSON.parse(readFileSync(file, "utf8"))
    await compute.stop("prod-1", 0, signal)
    // As after a restart of the machine: our own pid stands where the instance's was.
    writeFileSync(file, JSON.stringify({ ...record, pid: process.pid, exit: undefined }))
    compute = open()
    expect((await look("prod-1")).state).toBe("ended")
    await compute.stop("prod-1", 0, signal)
    expect(lives(process.pid)).toBe(true)
  })

  it("a start that was cut off before it was on record leaves no folder and no process", async () => {
    const home = join(dir, "agent", "run", "prod-9")
    mkdirSync(join(home, "tmp"), { recursive: true })
    compute = open()
    expect(await compute.list(signal)).toEqual([])
    expect(readdirSync(join(dir, "agent", "run"))).toEqual([])
  })

  it("a file that somebody changes, adds or removes on a running instance is named", async () => {
    await compute.start(spec("prod-1"), by, signal)
    expect((await look("prod-1")).differences).toEqual([])
    const app = join(dir, "agent", "run", "prod-1", "app")
    chmodSync(app, 0o755)
    chmodSync(join(app, "papi.json"), 0o644)
    writeFileSync(join(app, "papi.json"), '{"flaw":"some"}')
    writeFileSync(join(app, "debug.js"), "")
    const differences = await until("the difference", async () => {
      const found = (await look("prod-1")).differences
      return found.length === 2 ? found : undefined
    })
    expect([...differences].sort((a, b) => a.path.localeCompare(b.path))).toEqual([
      { path: "debug.js", what: "added" },
      { path: "papi.json", what: "changed" },
    ])
  })

  it("memory counts what an instance forks too", async () => {
    const hog = `node -e "const b = Buffer.alloc(150e6, 1); setInterval(() => b.length, 1000)"`
    await compute.start(spec("prod-1", `${hog} & wait`), by, signal)
    await until("the memory", async () => (((await look("prod-1")).memory ?? 0) > 150e6 ? true : undefined))
  })

  it("forgotten means gone: folder, processes, record; only its log is kept", async () => {
    await compute.start(spec("prod-1"), by, signal)
    await ask("prod-1", "/")
    await compute.stop("prod-1", 1_000, signal)
    await compute.forget("prod-1")
    expect(await compute.list(signal)).toEqual([])
    expect(readdirSync(join(dir, "agent", "run"))).toEqual([])
    expect(readdirSync(join(dir, "agent", "logs"))).toEqual(["prod-1.log"])
  })

  it("an artifact that is not there is refused, and nothing is left of the try", async () => {
    const missing = { ...spec("prod-1"), digest: `sha256:${"0".repeat(64)}` as Digest }
    await expect(compute.start(missing, by, signal)).rejects.toThrow("there is no artifact sha256:000")
    expect(readdirSync(join(dir, "agent", "run"))).toEqual([])
  })
})

const lives = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

const processesIn = (home: string): readonly string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && lives(Number(pid)) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(home)
      )
    } catch {
      return false
    }
  })

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  throw new Error(`waited 30 s for ${what}`)
}
