import { spawn } from "node:child_process"
import { closeSync, existsSync, openSync } from "node:fs"
import { join } from "node:path"

const places = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"]

/** Where HAProxy is on this machine. */
export const haproxyProgram = (): string | undefined =>
  places.map((folder) => join(folder || ".", "haproxy")).find((file) => existsSync(file))

/** A master and its worker, detached: they outlive whoever starts them. Throws when HAProxy is not there. */
export function startHaproxy(dir: string): void {
  const program = haproxyProgram()
  if (program === undefined)
    throw new Error(
      "HAProxy is not on this machine; install it (apt-get install haproxy), version 2.6 or newer",
    )
  const log = openSync(join(dir, "haproxy.log"), "a", 0o600)
  try {
    const args = ["-W", "-S", `${join(dir, "master.sock")},mode,600`, "-f", join(dir, "haproxy.cfg")]
    const child = spawn(program, args, { detached: true, cwd: dir, stdio: ["ignore", log, log], env: {} })
    child.on("error", () => undefined)
    child.unref()
  } finally {
    closeSync(log)
  }
}
