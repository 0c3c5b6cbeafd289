import { execFile, spawn } from "node:child_process"
import { closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"

const places = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"]

/** Where HAProxy is on this machine. */
export const findHaproxy = (): string | undefined =>
  places.map((folder) => join(folder || ".", "haproxy")).find((file) => existsSync(file))

/** The same. Throws a sentence when it is not there. */
export function haproxyProgram(): string {
  const program = findHaproxy()
  if (program === undefined)
    throw new Error(
      "HAProxy is not on this server; install version 2.6 or newer (apt-get install haproxy), or set router: embedded",
    )
  return program
}

/** Whether it was built with Lua, as Debian's is. */
export const knowsLua = async (program: string): Promise<boolean> =>
  (await promisify(execFile)(program, ["-vv"])).stdout.includes("+LUA")

/**
 * A master and its worker, detached: they outlive whoever starts them. What comes back tells, once they have ended,
 * why. Throws when HAProxy is not there.
 */
export function startHaproxy(dir: string): () => string | undefined {
  const program = haproxyProgram()
  const log = openSync(join(dir, "haproxy.log"), "a", 0o600)
  try {
    const args = ["-W", "-S", `${join(dir, "master.sock")},mode,600`, "-f", join(dir, "haproxy.cfg")]
    const child = spawn(program, args, { detached: true, cwd: dir, stdio: ["ignore", log, log], env: {} })
    let isOver = false
    child.on("error", () => {
      isOver = true
    })
    child.on("exit", () => {
      isOver = true
    })
    child.unref()
    return () => (isOver ? lastAlert(dir) : undefined)
  } finally {
    closeSync(log)
  }
}

/** What HAProxy itself said last of what went wrong. */
const lastAlert = (dir: string): string =>
  (
    readFileSync(join(dir, "haproxy.log"), "utf8").match(/(?<=^\[ALERT\].*? : ).*$/gm) ?? [
      "it gives no reason",
    ]
  )
    .slice(-3)
    .join("; ")
