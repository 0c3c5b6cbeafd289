import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import type { Sandbox, SandboxOutcome } from "../ports/sandbox.ts"

/** How strongly this machine lets us confine, strongest first; the first that works is taken. */
type Confinement = {
  readonly name: string
  readonly argv: readonly string[]
  readonly uid: number | undefined
}

const nobodyElse = 60_123
const limits = ["prlimit", "--nofile=4096", "--fsize=4294967296", "--core=0"]
const namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"]

const confinements: readonly Confinement[] = [
  {
    name: "own user, own processes",
    argv: [
      "unshare",
      ...namespace,
      "setpriv",
      `--reuid=${nobodyElse}`,
      `--regid=${nobodyElse}`,
      "--clear-groups",
      "--no-new-privs",
      ...limits,
      "--nproc=512",
    ],
    uid: nobodyElse,
  },
  {
    name: "own processes",
    argv: ["unshare", "--user", "--map-root-user", ...namespace, ...limits],
    uid: undefined,
  },
  { name: "limits only", argv: limits, uid: undefined },
  { name: "process group only", argv: [], uid: undefined },
]

let chosen: Confinement | undefined

/** Tries each on this machine once. */
function confinement(): Confinement {
  chosen ??= confinements.find(({ argv }) => {
    const [file, ...args] = [...argv, process.execPath, "--version"]
    return file !== undefined && spawnSync(file, args, { timeout: 10_000, stdio: "ignore" }).status === 0
  })
  return chosen ?? { name: "process group only", argv: [], uid: undefined }
}

/** The user that confined commands run as; undefined: our own. Their workspace must belong to it. */
export const confinedUser = (): number | undefined => confinement().uid

/** Commands in a PID namespace of their own where that is possible: whatever they fork ends with them. */
export const processSandbox: Sandbox = {
  run(order, log, signal) {
    const [file, ...args] = [...confinement().argv, "sh", "-c", order.command]
    if (file === undefined) throw new Error("no shell")
    const child = spawn(file, args, {
      cwd: order.cwd,
      env: order.env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    })
    return watch(child, order.timeout, log, signal)
  },
}

function watch(
  child: ChildProcess,
  timeout: number,
  log: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<SandboxOutcome> {
  return new Promise((resolve, reject) => {
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      killGroup(child.pid)
    }, timeout)
    const cancel = () => killGroup(child.pid)
    signal.addEventListener("abort", cancel, { once: true })
    child.stdout?.on("data", log)
    child.stderr?.on("data", log)
    child.on("error", (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on("exit", (code, ended) => {
      clearTimeout(timer)
      signal.removeEventListener("abort", cancel)
      killGroup(child.pid)
      const finish = () => {
        child.stdout?.destroy()
        child.stderr?.destroy()
        if (timedOut) resolve({ kind: "timed-out" })
        else if (code !== null) resolve({ kind: "exited", code })
        else resolve({ kind: "killed", signal: ended ?? "unknown" })
      }
      // The last output is still on its way; a daemon that kept our pipes must not keep us waiting.
      child.once("close", finish)
      setTimeout(finish, 1_000).unref()
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Gone already.
  }
}
