import { closeSync, openSync } from "node:fs"
import { chmod, chown, lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises"
import { constants } from "node:os"
import { join } from "node:path"
import type { InstanceSpec } from "../../core/pipeline/effects.ts"
import type { Difference, Exit } from "../../core/pipeline/events.ts"
import type { Artifacts } from "../../ports/artifacts.ts"
import type { Clock } from "../../ports/clock.ts"
import type { Compute, RunningInstance } from "../../ports/compute.ts"
import { type Accounts, instanceAccounts } from "./accounts.ts"
import { Drift } from "./drift.ts"
import { type FoundRunning, lookAround } from "./found-running.ts"
import { launch } from "./launch.ts"
import { PortRange } from "./port-range.ts"
import { processesAtHome, residentByGroup, startOf } from "./proc.ts"
import { RunningDrift, type Settled, settledAs } from "./running-drift.ts"

/** What is remembered of an instance on disk: enough to find it again after anything. */
type Record = {
  readonly spec: InstanceSpec
  readonly port: number
  readonly pid: number
  /** Its own user, where it has one. */
  readonly uid?: number | undefined
  readonly start: string | undefined
  readonly startedAt: number
  readonly exit: Exit | undefined
  /** What it had become after its first minute. */
  readonly settled?: Settled | undefined
}

const driftEvery = 1_000
const aMinute = 60_000

export type ProcessComputeParts = {
  /** Holds `run/<instance>/` and `logs/<instance>.log`. */
  readonly dir: string
  readonly artifacts: Artifacts
  readonly clock: Clock
  /** The PATH that instances get. */
  readonly path: string
  /** Where instances answer, told to them as HOST; absent: on loopback, and they are not told. */
  readonly host?: string | undefined
  /** For so long it may open ports and set itself up, in milliseconds; a minute by default. */
  readonly settling?: number | undefined
}

/** Instances as plain processes, each in its own copy of the artifact; they outlive whoever started them. */
export function processCompute(parts: ProcessComputeParts): Compute {
  return new ProcessCompute(parts)
}

type Looked = {
  readonly files: Drift
  readonly running: RunningDrift
  at: number
  found: readonly Difference[]
}

class ProcessCompute implements Compute {
  readonly #parts: ProcessComputeParts
  readonly #known = new Map<string, Record>()
  readonly #drift = new Map<string, Looked>()
  #around: { readonly at: number; readonly found: FoundRunning } | undefined
  /** Of the instances that are children of ours. */
  readonly #exits = new Map<string, Promise<void>>()
  readonly #stopping = new Set<string>()
  #loaded: Promise<void> | undefined
  #accounts: Accounts | undefined
  readonly #ports = new PortRange(20_000, 10_000)

  constructor(parts: ProcessComputeParts) {
    this.#parts = parts
  }

  async start(spec: InstanceSpec): Promise<void> {
    await this.#load()
    if (this.#known.has(spec.id)) return
    const home = this.#home(spec.id)
    await discard(home)
    try {
      await this.#startIn(home, spec)
    } catch (error) {
      await discard(home)
      throw error
    }
  }

  async #startIn(home: string, spec: InstanceSpec): Promise<void> {
    await mkdir(join(home, "tmp"), { recursive: true })
    await mkdir(join(this.#parts.dir, "logs"), { recursive: true })
    await this.#parts.artifacts.copy(spec.digest, join(home, "app"))
    const uid = this.#accounts?.free(this.#taken((record) => record.uid))
    if (uid !== undefined) {
      await chown(join(home, "tmp"), uid, uid)
      // Its own user may pass through to the application; its neighbours may not.
      await chown(home, 0, uid)
      await chmod(home, 0o710)
    }
    const port = await this.#ports.free(
      this.#host,
      this.#taken((record) => record.port),
    )
    const log = openSync(join(this.#parts.dir, "logs", `${spec.id}.log`), "a", 0o600)
    try {
      const { child, pid, go } = await launch({
        command: spec.run.start,
        cwd: join(home, "app"),
        log,
        before: uid === undefined ? [] : (this.#accounts?.become(uid) ?? []),
        env: {
          ...spec.run.env,
          PATH: this.#parts.path,
          HOME: join(home, "tmp"),
          TMPDIR: join(home, "tmp"),
          PORT: String(port),
          ...(this.#parts.host === undefined ? {} : { HOST: this.#parts.host }),
          IMMUNITY_RELEASE: spec.release,
          IMMUNITY_REGION: spec.region,
          IMMUNITY_INSTANCE: spec.id,
        },
      })
      this.#exits.set(
        spec.id,
        new Promise((resolve) =>
          child.once("exit", (code, signal) => resolve(this.#ended(spec.id, exitOf(code, signal)))),
        ),
      )
      const startedAt = this.#parts.clock.now()
      await this.#remember({ spec, port, pid, uid, start: startOf(pid), startedAt, exit: undefined })
      go()
      child.unref()
    } finally {
      closeSync(log)
    }
  }

  async stop(id: string, grace: number, signal: AbortSignal): Promise<void> {
    await this.#load()
    const record = this.#known.get(id)
    if (!record) return
    const home = this.#home(id)
    this.#stopping.add(id)
    if (alive(record)) send(-record.pid, "SIGTERM")
    const deadline = this.#parts.clock.mono() + grace
    const runs = () => alive(record) || processesAtHome(join(home, "tmp")).length > 0
    while (runs() && this.#parts.clock.mono() < deadline && !signal.aborted) await this.#parts.clock.sleep(50)
    if (alive(record)) send(-record.pid, "SIGKILL")
    while (alive(record)) await this.#parts.clock.sleep(20)
    await Promise.race([this.#exits.get(id), this.#parts.clock.sleep(1_000)])
    this.#stopping.delete(id)
    await this.#ended(id, { code: undefined, signal: "SIGTERM", because: "ended as ordered" })
  }

  async list(): Promise<readonly RunningInstance[]> {
    await this.#load()
    // An agent without instances does not read through all processes of its machine twice a second.
    if (this.#known.size === 0) return []
    const memory = residentByGroup()
    return Promise.all(
      [...this.#known.values()].map((record) => this.#describe(record, memory.get(record.pid))),
    )
  }

  async forget(id: string): Promise<void> {
    this.#known.delete(id)
    this.#drift.delete(id)
    this.#exits.delete(id)
    await discard(this.#home(id))
  }

  async #describe(record: Record, memory: number | undefined): Promise<RunningInstance> {
    const { spec } = record
    const running = record.exit === undefined && alive(record)
    if (!running && !record.exit) {
      // The kernel shows that it is dead a moment before its parent, if that is us, is told how.
      await Promise.race([this.#exits.get(spec.id), this.#parts.clock.sleep(1_000)])
      // Not a child of ours: an earlier agent started it, and only a parent is told how it ended.
      const because = "ended; its agent was restarted since it began, so its exit code is not known"
      await this.#ended(spec.id, { code: undefined, signal: undefined, because })
    }
    return {
      id: spec.id,
      state: running ? "running" : "ended",
      address: this.#address(record.port),
      startedAt: record.startedAt,
      exit: this.#known.get(spec.id)?.exit,
      memory: running ? memory : undefined,
      differences: running ? await this.#differences(record) : [],
    }
  }

  async #differences(record: Record): Promise<readonly Difference[]> {
    const { id, digest } = record.spec
    const known = this.#drift.get(id) ?? {
      files: new Drift(join(this.#home(id), "app"), await this.#parts.artifacts.manifest(digest)),
      running: new RunningDrift(),
      at: Number.NEGATIVE_INFINITY,
      found: [],
    }
    this.#drift.set(id, known)
    if (this.#parts.clock.mono() - known.at >= driftEvery) {
      known.at = this.#parts.clock.mono()
      const looks = [known.files.differences(), this.#sinceSettled(record, known.running)]
      known.found = await Promise.all(looks).then(
        (found) => found.flat(),
        () => known.found,
      )
    }
    return known.found
  }

  /** Only what has a user of its own can be told from everything else on the machine. */
  async #sinceSettled(record: Record, drift: RunningDrift): Promise<readonly Difference[]> {
    const { pid, uid, startedAt, spec } = record
    if (uid === undefined) return []
    const { clock, settling = aMinute } = this.#parts
    if (!this.#around || clock.mono() - this.#around.at >= driftEvery)
      this.#around = { at: clock.mono(), found: lookAround(this.#taken((known) => known.uid)) }
    const { found } = this.#around
    const running = { pid, uid, startedAt, home: join(this.#home(spec.id), "tmp") }
    const hasSettled = clock.now() >= startedAt + settling
    const settled = (hasSettled && record.settled) || settledAs(running, found)
    if (hasSettled && !record.settled) await this.#remember({ ...record, settled })
    return drift.differences(running, settled, found)
  }

  /** Whatever it forked and left behind goes with it. */
  async #ended(id: string, exit: Exit): Promise<void> {
    const record = this.#known.get(id)
    if (!record) return
    // A shell that was told to end goes before what it started, which has its grace.
    if (!this.#stopping.has(id))
      for (const pid of processesAtHome(join(this.#home(id), "tmp"))) send(pid, "SIGKILL")
    if (record.exit) return
    // Its folder may be on its way out already; that it ended is known all the same.
    await this.#remember({ ...record, exit }).catch(() => undefined)
  }

  async #remember(record: Record): Promise<void> {
    this.#known.set(record.spec.id, record)
    const file = join(this.#home(record.spec.id), "instance.json")
    const temporary = `${file}.new`
    const handle = await open(temporary, "w", 0o600)
    try {
      await handle.writeFile(JSON.stringify(record))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#findAgain()
    return this.#loaded
  }

  async #findAgain(): Promise<void> {
    const folder = join(this.#parts.dir, "run")
    await mkdir(folder, { recursive: true, mode: 0o711 })
    this.#accounts = instanceAccounts(folder)
    const names = await readdir(folder)
    for (const name of names) {
      const text = await readFile(join(this.#home(name), "instance.json"), "utf8").catch(() => undefined)
      // A folder without a record was never started: the crash came before, and it is wanted again.
      if (text === undefined) await discard(this.#home(name))
      else this.#known.set(name, JSON.parse(text) as Record)
    }
  }

  #taken(what: (record: Record) => number | undefined): ReadonlySet<number> {
    const running = [...this.#known.values()].filter((record) => !record.exit)
    return new Set(running.map(what).filter((value) => value !== undefined))
  }

  get #host(): string {
    return this.#parts.host ?? "127.0.0.1"
  }

  #address(port: number): string {
    return this.#host.includes(":") ? `[${this.#host}]:${port}` : `${this.#host}:${port}`
  }

  #home(id: string): string {
    if (!/^[a-z0-9][a-z0-9-]{0,150}$/.test(id)) throw new Error(`${id} is not an instance id`)
    return join(this.#parts.dir, "run", id)
  }
}

/** A shell tells of a signal as 128 and its number. */
function exitOf(code: number | null, signal: NodeJS.Signals | null): Exit {
  const name = Object.entries(constants.signals).find(([, number]) => number + 128 === code)?.[0]
  const by = signal ?? name
  if (by) return { code: undefined, signal: by, because: `ended by ${by}` }
  return { code: code ?? undefined, signal: undefined, because: `ended with exit code ${code}` }
}

/** The pid alone may belong to somebody else by now. */
const alive = (record: Record): boolean => record.start !== undefined && startOf(record.pid) === record.start

/** A negative pid means its whole group. */
function send(pid: number, signal: NodeJS.Signals): void {
  if (Math.abs(pid) <= 1) return
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already.
  }
}

/** Removes a tree whose folders are read-only. */
async function discard(folder: string): Promise<void> {
  const open = async (path: string): Promise<void> => {
    const found = await lstat(path).catch(() => undefined)
    if (!found?.isDirectory()) return
    await chmod(path, 0o700)
    for (const name of await readdir(path)) await open(join(path, name))
  }
  await open(folder).catch(() => undefined)
  await rm(folder, { recursive: true, force: true })
}
