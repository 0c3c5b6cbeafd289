import { type ChildProcess, execFile, spawn } from "node:child_process"
import { access, readdir, readFile } from "node:fs/promises"
import { createServer } from "node:net"
import { promisify } from "node:util"
import type { Cleanup } from "./waiting.ts"

const run = promisify(execFile)

export type Started = {
  readonly child: ChildProcess
  readonly pid: number
  /** What it said on both of its outputs, the last of it. */
  readonly said: () => string
  readonly isOver: () => boolean
  readonly over: Promise<void>
}

export type StartOptions = {
  readonly mostFiles?: number | undefined
  readonly env?: Readonly<Record<string, string>>
}

/** Where Debian has servers, which is not in everybody's PATH. */
const withSystemPrograms = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${process.env.PATH ?? ""}:/usr/sbin`,
})

/** Starts a program; the cleanup kills it with all it started. */
export function start(command: readonly string[], cleanup: Cleanup, options: StartOptions = {}): Started {
  const { mostFiles, env } = options
  const limited =
    mostFiles === undefined ? command : ["sh", "-c", `ulimit -n ${mostFiles}; exec "$@"`, "sh", ...command]
  const [program = "", ...args] = limited
  const child = spawn(program, args, {
    env: { ...withSystemPrograms(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  })
  let said = ""
  let isOver = false
  const keep = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-8_000)
  }
  child.stdout.on("data", keep)
  child.stderr.on("data", keep)
  const over = new Promise<void>((resolve) => {
    const end = () => {
      isOver = true
      resolve()
    }
    child.on("error", (error) => {
      said += error.message
      end()
    })
    child.on("exit", end)
  })
  const pid = child.pid ?? 0
  cleanup.add(async () => {
    killGroup(pid)
    await over
  })
  return { child, pid, said: () => said, isOver: () => isOver, over }
}

/** SIGKILL for a process that `start` started, and for all that it started. */
export function killGroup(pid: number): void {
  if (pid <= 1) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended already.
  }
}

/** What a program prints; undefined when there is none, or when it fails. */
export async function printed(program: string, ...args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(program, args, { env: withSystemPrograms() })
    return `${stdout}${stderr}`
  } catch {
    return undefined
  }
}

/** The processes that a process has started, by number. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const found: number[] = []
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "")
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    if (Number(parent) === pid && state !== "Z") found.push(Number(entry))
  }
  return found
}

/** How a process calls itself; empty when it is gone. */
export const titleOf = (pid: number): Promise<string> =>
  readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")

/** Whether a process is there, be it dead and not yet buried. */
export const isThere = (pid: number): Promise<boolean> =>
  access(`/proc/${pid}`).then(
    () => true,
    () => false,
  )

/** A port on which nobody listens now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })
}

/** Makes a program see a wall clock that a file moves; undefined where libfaketime is not installed. */
export async function clockEnv(file: string): Promise<Readonly<Record<string, string>> | undefined> {
  for (const folder of ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"]) {
    const library = `${folder}/faketime/libfaketimeMT.so.1`
    const isThere = await access(library).then(
      () => true,
      () => false,
    )
    if (isThere)
      return {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        DONT_FAKE_MONOTONIC: "1",
      }
  }
  return undefined
}
