import { type ChildProcess, spawn } from "node:child_process"

/**
 * Waits to be told to go on, and ends by itself when whoever should have told it is gone: no instance runs that
 * is not on record.
 */
const gate = 'read -r go <&3 || exit 75; exec 3<&- sh -c "$1"'

export type Launched = { readonly child: ChildProcess; readonly pid: number; readonly go: () => void }

/** Starts a command behind a gate, in a process group of its own; its output goes to `log`. */
export async function launch(order: {
  readonly command: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly log: number
  /** Words before the command: another user, limits. */
  readonly before: readonly string[]
}): Promise<Launched> {
  const [file = "sh", ...args] = [...order.before, "sh", "-c", gate, "immunity", order.command]
  const child = spawn(file, args, {
    cwd: order.cwd,
    detached: true,
    stdio: ["ignore", order.log, order.log, "pipe"],
    env: order.env,
  })
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("error", reject)
    child.once("spawn", () => resolve(child.pid ?? 0))
  })
  const told = child.stdio[3]
  if (!told || !("end" in told)) throw new Error("the gate of the instance has no pipe")
  // It may have ended before it was told; its exit says so.
  told.on("error", () => undefined)
  return { child, pid, go: () => void told.end("go\n") }
}
