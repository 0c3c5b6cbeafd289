import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { controlVerbs, sizeOf, statsVerbs } from "./control.ts"
import { DataPlane } from "./data-plane.ts"
import { Governor } from "./governor.ts"
import { defaultLimits, type Limits } from "./limits.ts"
import { Listeners } from "./listeners.ts"
import { type Log, logToStdout } from "./log.ts"
import { isAnswered, serveSocket } from "./socket-server.ts"
import { StateFile } from "./state-file.ts"

export type StartRouter = {
  /** Where its sockets and its memory are. */
  readonly dir: string
  readonly log: Log
  readonly limits?: Partial<Limits>
}

export type RunningRouter = {
  /** Answers what is under way, up to the limit, then ends. */
  readonly stop: () => Promise<void>
  /** Ends at once, as a crash would: clients see broken connections. */
  readonly kill: () => Promise<void>
}

/** Starts a router in this process. Throws when another one serves from the same directory. */
export async function startRouter({ dir, log, limits }: StartRouter): Promise<RunningRouter> {
  const control = join(dir, "control.sock")
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if (await isAnswered(control))
    throw new Error(
      `another router answers at ${control}; stop it first, or give this one a --dir of its own`,
    )
  const plane = new DataPlane({ ...defaultLimits, ...limits })
  const listeners: Listeners = new Listeners(
    (socket, door) => plane.accept(socket, door),
    (route) => plane.routeOf(route),
    () => plane.closeOrphans(),
  )
  const governor = new Governor(new StateFile(dir), plane, listeners, log)
  await governor.boot()
  const servers = [
    await serveSocket(join(dir, "stats.sock"), statsVerbs(plane)),
    await serveSocket(control, controlVerbs(governor, plane, listeners)),
  ]
  const pidFile = join(dir, "router.pid")
  await writeFile(pidFile, `${process.pid}\n`)
  const retry = setInterval(() => {
    if (governor.isDeaf) void governor.listen().catch(() => undefined)
  }, 1_000)
  log("info", "serving", { dir, pid: process.pid, ...sizeOf(governor) })
  const end = async (calmly: boolean) => {
    clearInterval(retry)
    listeners.close()
    // Control goes first: from here on another router may take over the directory.
    await Promise.all(servers.map((server) => server.close()))
    await rm(pidFile, { force: true })
    if (calmly) await plane.drain()
    else plane.destroy()
  }
  return { stop: () => end(true), kill: () => end(false) }
}

export type RunRouter = { readonly dir: string; readonly onListening?: () => void }

/** The router as a process: serves until it is asked to end (SIGTERM, SIGINT), finishes what is under way, exits. */
export async function runRouter({ dir, onListening }: RunRouter): Promise<void> {
  const log = logToStdout()
  const ending = new Promise<string>((resolve) => {
    process.once("SIGTERM", resolve)
    process.once("SIGINT", resolve)
  })
  const router = await startRouter({ dir, log })
  onListening?.()
  log("info", "ending", { signal: await ending })
  await router.stop()
  log("info", "ended")
  process.exitCode = 0
}
