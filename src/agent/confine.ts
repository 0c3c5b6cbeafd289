import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { constants } from "node:os"
import type { Sandbox, SandboxOrder, SandboxOutcome } from "../ports/sandbox.ts"

/** How strongly this machine lets us confine, strongest first; the first that works is taken. */
type Confinement = {
  readonly name: string
  /** The words before the command. */
  readonly argv: (network: SandboxOrder["network"]) => readonly string[]
  readonly uid: number | undefined
  readonly cutsNetwork: boolean
}

const nobodyElse = 60_123
const limits = ["prlimit", "--nofile=4096", "--fsize=4294967296", "--core=0"]
/** Whatever was started ends when its agent does, in whatever way. */
const withUs = ["setpriv", "--pdeathsig=KILL"]
/**
 * The first process of the namespaces: all others end with it. It never becomes another user, or the kernel would
 * forget to end it with its parent. Loopback of its own network is up: tests inside a build may talk to themselves.
 */
const first = ["sh", "-c", 'ip link set lo up 2>/dev/null; "$@"; exit $?', "immunity"]

const inNamespaces =
  (user: readonly string[], then: readonly string[]) =>
  (network: SandboxOrder["network"]): readonly string[] => [
    ...withUs,
    "unshare",
    ...user,
    ...(network === "none" ? ["--net"] : []),
    ...["--pid", "--fork", "--kill-child", "--mount-proc"],
    ...first,
    ...then,
  ]

const ownUser = [
  "setpriv",
  `--reuid=${nobodyElse}`,
  `--regid=${nobodyElse}`,
  "--clear-groups",
  "--no-new-privs",
  ...limits,
  "--nproc=512",
]

const confinements: readonly Confinement[] = [
  {
    name: "own user, own processes",
    argv: inNamespaces([], ownUser),
    uid: nobodyElse,
    cutsNetwork: true,
  },
  {
    name: "own processes",
    argv: inNamespaces(["--user", "--map-root-user"], limits),
    uid: undefined,
    cutsNetwork: true,
  },
  { name: "limits only", argv: () => [...withUs, ...limits], uid: undefined, cutsNetwork: false },
  { name: "process group only", argv: () => [], uid: undefined, cutsNetwork: false },
]

let chosen: Confinement | undefined

/** Tries each on this machine once. */
function confinement(): Confinement {
  chosen ??= confinements.find(({ argv }) => {
    const [file, ...args] = [...argv("none"), process.execPath, "--version"]
    return file !== undefined && spawnSync(file, args, { timeout: 10_000, stdio: "ignore" }).status === 0
  })
  return chosen ?? (confinements.at(-1) as Confinement)
}

/** The user that confined commands run as; undefined: our own. Their workspace must belong to it. */
export const confinedUser = (): number | undefined => confinement().uid

/** Commands in a PID namespace of their own where that is possible: whatever they fork ends with them. */
export const processSandbox: Sandbox = {
  run(order, log, signal) {
    const { argv, cutsNetwork, name } = confinement()
    if (order.network === "none" && !cutsNetwork)
      log(Buffer.from(`immunity: this machine confines by "${name}" and cannot cut the network off\n`))
    const [file, ...args] = [...argv(order.network), "sh", "-c", order.command]
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

/** A shell tells of a signal as 128 and its number. */
function outcomeOf(code: number | null, ended: NodeJS.Signals | null): SandboxOutcome {
  if (code === null) return { kind: "killed", signal: ended ?? "unknown" }
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)
  return signal ? { kind: "killed", signal: signal[0] } : { kind: "exited", code }
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
        else resolve(outcomeOf(code, ended))
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
