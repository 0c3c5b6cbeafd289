import { spawn } from "node:child_process"
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { instanceLogsKept, KeepLogs } from "./keep-logs.ts"
import { readLog } from "./log-file.ts"
import { mostInstanceLogBytes } from "./log-generations.ts"

const MB = 1024 ** 2

describe("the log of an instance", () => {
  let dir: string
  const path = () => join(dir, "papi-1.log")
  const look = (...running: readonly string[]) =>
    new KeepLogs(dir, (id) => id === "papi-build-1").look(running, Date.now())
  const onDisk = () => readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "immunity-logs-"))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** Lines `from`..`to` of 100 bytes each. */
  const lines = (from: number, to: number) =>
    `${Array.from({ length: to - from }, (_, i) => `line ${from + i} `.padEnd(99, ".")).join("\n")}\n`

  it("keeps its newest output within its bound, and whoever follows it misses nothing", async () => {
    let [from, seen] = [0, ""]
    for (let i = 0; i < 40; i++) {
      appendFileSync(path(), lines(i * 10_000, (i + 1) * 10_000))
      look("papi-1")
      for (;;) {
        const chunk = await readLog(path(), from, 256 * 1024, false)
        seen += chunk?.text ?? ""
        if (!chunk || chunk.next === from) break
        from = chunk.next
      }
      expect(onDisk()).toBeLessThanOrEqual(mostInstanceLogBytes)
    }
    expect(seen).toBe(lines(0, 400_000))
  })

  it("says to whoever reads it from the beginning that older output is no longer kept", async () => {
    for (let i = 0; i < 20; i++) {
      appendFileSync(path(), lines(i * 10_000, (i + 1) * 10_000))
      look("papi-1")
    }
    let [from, seen] = [0, ""]
    for (let ended = false; !ended; ) {
      const chunk = await readLog(path(), from, MB, true)
      ;({ ended, next: from } = chunk ?? { ended: true, next: from })
      seen += chunk?.text ?? ""
    }
    expect(seen).toMatch(/^… \d+ bytes before this are no longer kept\n/)
    expect(seen).toMatch(/line 199999 \.+\n$/)
    expect(seen.length).toBeGreaterThan(mostInstanceLogBytes / 2)
  })

  it("is shortened under a process that goes on writing to it", async () => {
    const child = spawn("sh", ["-c", "while read -r line; do echo $line; done"], {
      stdio: ["pipe", openSync(path(), "a"), "ignore"],
    })
    const ended = new Promise((resolve) => child.once("exit", resolve))
    writeFileSync(path(), lines(0, 60_000))
    look("papi-1")
    expect(statSync(path()).size).toBe(0)
    child.stdin?.end("after it was shortened\n")
    await ended
    const chunk = await readLog(path(), 6_000_000, MB, true)
    expect(chunk).toEqual({ text: "after it was shortened\n", next: 6_000_023, ended: true })
  })

  it("goes a week after its last line, once its instance is gone; a job's is left alone", () => {
    for (const name of ["papi-1.log", "papi-1.log.0-7", "papi-build-1.log"])
      writeFileSync(join(dir, name), "a line\n")
    mkdirSync(join(dir, "other"))
    look()
    expect(readdirSync(dir)).toHaveLength(4)
    const long = (Date.now() - instanceLogsKept - 60_000) / 1_000
    for (const name of ["papi-1.log", "papi-build-1.log"]) utimesSync(join(dir, name), long, long)
    look("papi-1")
    expect(readdirSync(dir)).toHaveLength(4)
    look()
    expect(readdirSync(dir)).toEqual(["other", "papi-build-1.log"])
  })
})
