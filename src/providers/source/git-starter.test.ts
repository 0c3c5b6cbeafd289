import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { GitStarter } from "./git-starter.ts"

const run = (args: readonly string[], signal = AbortSignal.timeout(30_000), limit = 1_000_000) => ({
  args,
  timeoutMs: 20_000,
  limit,
  signal,
})
const version = run(["--version"])
/** Lives until it is ended: git waits for whoever it starts. */
const forEver = (signal: AbortSignal) => run(["-c", "alias.wait=!sleep 1000", "wait"], signal)

function kill({ pid }: GitStarter): number | undefined {
  // To kill process 0 would be to kill ourselves.
  if (pid) process.kill(pid, "SIGKILL")
  return pid
}

describe("a process that has grown", () => {
  let starter: GitStarter
  beforeEach(() => {
    starter = new GitStarter(0)
  })
  afterEach(() => kill(starter))

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
