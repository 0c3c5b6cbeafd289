import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { GitStarter } from "./git-starter.ts"

const run = (args: readonly string[], signal = AbortSignal.timeout(30_000), limit = 1_000_000) => ({
  args,
  timeoutMs: 20_000,
  limit,
  signal,
})
const version = run(["--version"])
/** Lives until it is ended: git waits for whoever it starts. Its process writes its number there, when it runs. */
const forEver = (signal: AbortSignal, there = "/dev/null") =>
  run(["-c", `alias.wait=!echo $$ > ${there}; exec sleep 1000`, "wait"], signal)

function kill({ pid }: GitStarter, signal: NodeJS.Signals = "SIGKILL"): number | undefined {
  // To kill process 0 would be to kill ourselves.
  if (pid) process.kill(pid, signal)
  return pid
}

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("a process that has grown", () => {
  let starter: GitStarter
  let folder: string
  beforeEach(() => {
    starter = new GitStarter(0, 30_000)
    folder = mkdtempSync(join(tmpdir(), "git-starter-"))
  })
  afterEach(() => {
    kill(starter)
    rmSync(folder, { recursive: true })
  })

  /** What was asked, and the process that git started, once it runs. */
  async function underWay(
    signal: AbortSignal,
  ): Promise<{ readonly asked: Promise<unknown>; readonly pid: number }> {
    const there = join(folder, "pid")
    const asked = starter.run(forEver(signal, there))
    asked.catch(() => undefined)
    const pid = (): number => (existsSync(there) ? Number(readFileSync(there, "utf8")) : 0)
    await expect.poll(pid, { timeout: 30_000 }).toBeGreaterThan(0)
    return { asked, pid: pid() }
  }

  it("lets a small one start git, and hears what git said, and with which code it ended", async () => {
    const { code, out } = await starter.run(version)
    expect([code, Buffer.isBuffer(out) && out.toString()]).toEqual([0, expect.stringMatching(/^git version/)])
    const first = starter.pid
    const wrong = await starter.run(run(["--git-dir", "/nowhere", "log"]))
    expect([wrong.code, wrong.said]).toEqual([128, expect.stringContaining("not a git repository")])
    expect(starter.pid).toBe(first)
    await expect(starter.run(run(["help", "-a"], version.signal, 10))).rejects.toThrow(
      "said more than 10 bytes",
    )
  })

  it("ends what it asked for when it is asked to stop", async () => {
    await starter.run(version)
    const stop = new AbortController()
    const asked = starter.run(forEver(stop.signal))
    setTimeout(() => stop.abort(), 200)
    await expect(asked).rejects.toThrow("it was asked to stop")
  })

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "decides itself when git ends, also after a %s that reached everybody",
    async (signal) => {
      const stop = new AbortController()
      const { asked, pid } = await underWay(stop.signal)
      kill(starter, signal)
      stop.abort()
      await expect(asked).rejects.toThrow("it was asked to stop")
      await expect.poll(() => lives(pid), { timeout: 30_000 }).toBe(false)
    },
  )

  it("ends what the small one had begun when that one dies, and does not begin it a second time", async () => {
    const { asked, pid } = await underWay(version.signal)
    kill(starter)
    await expect(asked).rejects.toThrow("the process that had started it is gone")
    await expect.poll(() => lives(pid), { timeout: 30_000 }).toBe(false)
    expect((await starter.run(version)).code).toBe(0)
  })

  it("waits no longer for a small one that answers nothing, neither after a stop nor past the time", async () => {
    starter = new GitStarter(0, 500)
    const stop = new AbortController()
    const { asked, pid } = await underWay(stop.signal)
    const first = kill(starter, "SIGSTOP")
    stop.abort()
    await expect(asked).rejects.toThrow("the process that had started it is gone")
    await expect.poll(() => lives(pid), { timeout: 30_000 }).toBe(false)
    await starter.run(version)
    expect(starter.pid).not.toBe(first)
    kill(starter, "SIGSTOP")
    // It was not begun, so that it can be begun here.
    expect((await starter.run({ ...version, timeoutMs: 2_000 })).code).toBe(0)
  })

  it("starts git itself when the small one is gone, and another small one for the next question", async () => {
    await starter.run(version)
    const first = kill(starter)
    expect(first).toBeGreaterThan(0)
    const answers = await Promise.all([starter.run(version), starter.run(version)])
    expect(answers.map(({ code }) => code)).toEqual([0, 0])
    await expect.poll(() => starter.pid, { timeout: 30_000 }).not.toBe(first)
    expect((await starter.run(version)).code).toBe(0)
    expect([undefined, first]).not.toContain(starter.pid)
  })
})

it("a small process starts git itself", async () => {
  const starter = new GitStarter(Number.POSITIVE_INFINITY)
  expect((await starter.run(version)).code).toBe(0)
  expect(starter.pid).toBeUndefined()
})
