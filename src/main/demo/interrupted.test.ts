import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { until } from "../../testing/router-world.ts"

const here = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)))

/** Puts a folder up with a process in it that outlives whoever started it, says so, and goes on for ever. */
const program = (askedFirst: boolean) => `
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { closedFirst, whenInterrupted } from ${here("interrupted.ts")}
import { temporaryFolder } from ${here("leftovers.ts")}

const dir = temporaryFolder("immunity-interrupted")
const forever = [process.execPath, "-e", "setInterval(() => {}, 1000)"]
const between = ${JSON.stringify(`
  const { spawn } = require("node:child_process")
  const child = spawn(process.argv[1], process.argv.slice(2), { stdio: "ignore", detached: true })
  process.stdout.write(String(child.pid))
  child.unref()
`)}
const orphan = spawn(process.execPath, ["-e", between, ...forever], { cwd: dir, stdio: ["ignore", "pipe", "ignore"] })
const elsewhere = spawn(forever[0], forever.slice(1), { stdio: "ignore" })
closedFirst(() => new Promise((resolve) => setTimeout(() => {
  process.stdout.write("asked\\n")
  resolve()
}, 200)), ${askedFirst})
closedFirst(() => Promise.reject(new Error("deaf")), ${askedFirst})
whenInterrupted(() => process.stdout.write("first\\n"))
whenInterrupted(() => process.stdout.write("second\\n"))
const isDown = whenInterrupted(() => process.stdout.write("never\\n"))
isDown()
whenInterrupted(() => { throw new Error("busy") })
orphan.stdout.on("data", (pid) => process.stdout.write(JSON.stringify({ dir, pids: [Number(pid), elsewhere.pid] }) + "\\n"))
setInterval(() => process.stdout.write(""), 1000)
`

it.each([
  ["SIGINT", 130, "looks for what it started", false],
  ["SIGTERM", 143, "looks for what it started", false],
  ["SIGINT", 130, "asks it to end before", true],
] as const)(
  "a program that gets %s (%d) and %s takes down what it put up, last first, and leaves nothing",
  async (signal, code, _, askedFirst) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program(askedFirst)], {
      stdio: ["ignore", "pipe", "pipe"],
    })
    let [said, complained] = ["", ""]
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      complained += chunk.toString()
    })
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
    const { dir, pids } = await until("what it put up", async () => {
      const line = said.split("\n")[0] ?? ""
      return line === "" ? undefined : (JSON.parse(line) as { dir: string; pids: readonly number[] })
    })
    expect([existsSync(dir), ...pids.map(lives)]).toEqual([true, true, true])
    child.kill(signal)
    expect(await ended).toBe(code)
    await until("what it wrote", async () => said.endsWith("first\n") || undefined)
    expect(said.trim().split("\n").slice(1)).toEqual([...(askedFirst ? ["asked"] : []), "second", "first"])
    expect(complained.trim().split("\n")).toEqual([
      "interrupted: what was started is taken down",
      ...(askedFirst ? ["not taken down: deaf"] : []),
      "not taken down: busy",
    ])
    expect([existsSync(dir), ...pids.map(lives)]).toEqual([false, false, false])
  },
)

/** One that ended and was not asked how is no more than a number. */
const lives = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}
