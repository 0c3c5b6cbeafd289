import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pids } from "../../providers/compute/proc.ts"
import { kill, standStill, whenInterrupted } from "./interrupted.ts"

/** What is still there of a demo that should be gone: processes of its folder, its ports, the folder itself. */
export async function leftovers(dir: string, ports: readonly number[]): Promise<readonly string[]> {
  const open = await Promise.all(ports.map(async (port) => ((await staysOpen(port)) ? [`port ${port}`] : [])))
  return [...processesOf(dir).map(({ name }) => name), ...open.flat(), ...(existsSync(dir) ? [dir] : [])]
}

/** Processes that were started for a folder, or in it. */
export function processesOf(dir: string): readonly { readonly pid: number; readonly name: string }[] {
  return pids()
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => {
      const command = read(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "))
      const folder = read(() => readlinkSync(`/proc/${pid}/cwd`))
      return command.includes(dir) || folder.startsWith(dir)
        ? [{ pid, name: `process ${pid}: ${command.trim()}` }]
        : []
    })
}

/** A folder among the system's temporary ones; it goes with all that was started for it when we are interrupted. */
export function temporaryFolder(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `${name}-`))
  whenInterrupted(
    () => takeAway(dir),
    () => existsSync(dir),
  )
  return dir
}

/** Ends what was started for a folder, or in it, and removes it with what is mounted there. Waits in place. */
export function takeAway(dir: string): void {
  for (let tries = 0; existsSync(dir) && tries < 40; tries++) {
    // Who watches over another one starts it again: all of them are ended at once, and looked for again.
    for (const { pid } of processesOf(dir)) kill(pid)
    if (tries > 0) standStill(50)
    if (processesOf(dir).length > 0) continue
    for (const mount of mountsBelow(dir)) spawnSync("umount", ["-l", mount], { stdio: "ignore" })
    try {
      if (process.getuid?.() !== 0) openFolders(dir)
      rmSync(dir, { recursive: true, force: true })
    } catch {
      // Busy for a moment: what cleans up after a container makes folders again.
    }
  }
}

function mountsBelow(dir: string): readonly string[] {
  const mounts = read(() => readFileSync("/proc/mounts", "utf8"))
  const below = mounts.split("\n").flatMap((line) => line.split(" ")[1] ?? [])
  return below
    .filter((mount) => mount.startsWith(`${dir}/`))
    .sort()
    .reverse()
}

function read(get: () => string): string {
  try {
    return get()
  } catch {
    return ""
  }
}

/** A process that is ending loses its name in /proc a moment before its sockets: only what stays open is left over. */
async function staysOpen(port: number): Promise<boolean> {
  for (let tries = 0; tries < 30; tries++) {
    if (!(await listens(port))) return false
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return true
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** Artifacts are read-only folders; to remove them they must be writable again. */
export function openFolders(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(dir, entry.name)
    chmodSync(path, 0o700)
    openFolders(path)
  }
}
