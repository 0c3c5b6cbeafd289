import { randomUUID } from "node:crypto"
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { collectAlone } from "./collect-alone.ts"
import { controlVerbs, sizeOf, statsVerbs } from "./control.ts"
import type { Crew } from "./crew.ts"
import { clientsWithin, mostDescriptors } from "./descriptors.ts"
import { Governor } from "./governor.ts"
import { HealthWatch } from "./health-watch.ts"
import { defaultLimits, type Limits } from "./limits.ts"
import { type Log, logToStdout } from "./log.ts"
import type { TlsFiles } from "./secure-server.ts"
import { isAnswered, serveSocket } from "./socket-server.ts"
import { StateFile } from "./state-file.ts"
import { openStation } from "./station.ts"
import type { TableOrder } from "./table.ts"

export type StartRouter = {
  /** Where its sockets and its memory are. */
  readonly dir: string
  readonly log: Log
  readonly limits?: Partial<Limits> | undefined
  /** Processes that carry traffic; 0: this one does. */
  readonly workers?: number | undefined
  /** Clients come in over TLS. */
  readonly tls?: TlsFiles | undefined
  /** Milliseconds without an order after which all weight goes back to the stable pools; undefined: never. */
  readonly deadMan?: number | undefined
}

export type RunningRouter = {
  readonly governor: Governor
  readonly crew: Crew
  /** Answers what is under way, up to the limit, then ends. */
  readonly stop: () => Promise<void>
  /** Ends at once, as a crash would: clients see broken connections. */
  readonly kill: () => Promise<void>
}

/** Starts a router in this process. Throws when another one serves from the same directory. */
export async function startRouter(options: StartRouter): Promise<RunningRouter> {
  const { dir, log, workers = 0, tls } = options
  const control = join(dir, "control.sock")
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if (await isAnswered(control))
    throw new Error(
      `another router answers at ${control}; stop it first, or give this one a --dir of its own`,
    )
  const asked = { ...defaultLimits, ...options.limits }
  const limits = { ...asked, mostClients: Math.min(asked.mostClients, clientsOf(workers)) }
  const crew = await openCrew(workers, limits, tls, log)
  const health = new HealthWatch((marks) => crew.mark(marks), log)
  const governor = new Governor(new StateFile(dir), crew, health, log, options.deadMan)
  await governor.boot()
  const servers = [
    await serveSocket(join(dir, "stats.sock"), statsVerbs(governor, crew)),
    await serveSocket(control, controlVerbs(governor, crew)),
  ]
  const pidFile = join(dir, "router.pid")
  await writeFile(pidFile, `${process.pid}\n`)
  const timer = setInterval(() => void governor.look().catch(() => undefined), 1_000)
  const { mostClients } = limits
  log("info", "serving", { dir, pid: process.pid, workers, mostClients, ...sizeOf(governor) })
  if (mostClients < (options.limits?.mostClients ?? 0))
    log("warn", "fewer clients are let in than configured: this process may not open enough files", {
      mostClients,
    })
  const end = async (calmly: boolean) => {
    clearInterval(timer)
    health.stop()
    const ended = calmly ? crew.drain() : crew.destroy()
    // Control goes at once: from here on another router may take over the directory.
    await Promise.all(servers.map((server) => server.close()))
    await rm(pidFile, { force: true })
    await ended
  }
  return { governor, crew, stop: () => end(true), kill: () => end(false) }
}

/** Nobody is let in who could not be served: each process that carries traffic may open so many files. */
const clientsOf = (workers: number): number =>
  clientsWithin(mostDescriptors() ?? Number.POSITIVE_INFINITY) * Math.max(1, workers)

async function openCrew(workers: number, limits: Limits, tls: TlsFiles | undefined, log: Log): Promise<Crew> {
  if (workers === 0) return openStation(limits, tls)
  // Loaded only where it is needed: users wait while a router starts.
  const { CrewOfWorkers } = await import("./crew-of-workers.ts")
  return CrewOfWorkers.start({ size: workers, limits, tls, boot: randomUUID(), log })
}

export type RunRouter = Omit<StartRouter, "log"> & {
  /** A table of its own, for a router that nobody else tells anything. */
  readonly table?: ((generation: number) => TableOrder) | undefined
  readonly onServing?: ((router: RunningRouter) => Promise<void>) | undefined
}

/**
 * The router as a process: serves until it is asked to end (SIGTERM, SIGINT), finishes what is under way, exits.
 * SIGHUP puts fresh workers in the place of those that serve.
 */
export async function runRouter({ table, onServing, ...options }: RunRouter): Promise<void> {
  collectAlone()
  const log = logToStdout()
  const ending = new Promise<string>((resolve) => {
    process.once("SIGTERM", resolve)
    process.once("SIGINT", resolve)
  })
  const router = await startRouter({ ...options, log })
  try {
    if (table) await router.governor.setOwnTable(table)
    await onServing?.(router)
  } catch (error) {
    await router.kill()
    throw error
  }
  process.on("SIGHUP", () => void router.crew.replace().catch(() => undefined))
  log("info", "ending", { signal: await ending })
  await router.stop()
  log("info", "ended")
  process.exitCode = 0
}
