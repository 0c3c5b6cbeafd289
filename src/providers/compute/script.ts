import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Capacity } from "../../core/model/capacity.ts"
import type { Digest } from "../../core/model/ids.ts"
import type { InstanceSpec } from "../../core/pipeline/effects.ts"
import type { Exit } from "../../core/pipeline/events.ts"
import type { Clock } from "../../ports/clock.ts"
import { type Compute, NoRoom, type RunningInstance } from "../../ports/compute.ts"
import type { Fence } from "../../ports/router.ts"
import { callDriver, type Driver, DriverRefusal } from "./driver-call.ts"
import { DriverLogs } from "./driver-logs.ts"
import type { Answer } from "./driver-wire.ts"

const defaultLookEvery = 1_000
const logsEvery = 2_000
const roomEvery = 5_000
const mostAtOnce = 4

export type ScriptComputeParts = {
  /** Holds `logs/<instance>.log` and the driver's own folder. */
  readonly dir: string
  readonly driver: Driver
  readonly clock: Clock
  /** The folder of an artifact on this server, and nothing but read. Throws when it is not there. */
  readonly artifactAt: (digest: Digest) => Promise<string>
  /** Where instances answer other servers; absent: loopback is enough. */
  readonly host?: string | undefined
  /** How long one look holds for everybody who asks; a second when absent. */
  readonly lookEveryMs?: number | undefined
}

/** Instances wherever an executable puts them: it is asked with JSON and answers with JSON. */
export function scriptCompute(parts: ScriptComputeParts): Compute {
  return new ScriptCompute(parts)
}

class ScriptCompute implements Compute {
  readonly continuesLogs = true
  readonly #parts: ScriptComputeParts
  readonly #logs: DriverLogs
  /** The looks that are shared: whoever asks soon after another one gets the same answer. */
  #look: { readonly at: number; readonly found: Promise<Answer<"list">> } | undefined
  #last: Answer<"list"> | undefined
  #logsAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #verbs: readonly string[] | undefined
  #room: Capacity = {}
  #roomAt = Number.NEGATIVE_INFINITY
  #running = 0
  readonly #queue: (() => void)[] = []

  constructor(parts: ScriptComputeParts) {
    this.#parts = parts
    mkdirSync(parts.driver.dir, { recursive: true, mode: 0o700 })
    this.#logs = new DriverLogs(join(parts.dir, "logs"))
  }

  async start(spec: InstanceSpec, by: Fence, signal: AbortSignal): Promise<void> {
    const artifact = await this.#parts.artifactAt(spec.digest)
    const { start, env, memory, cpus, health } = spec.run
    const { app, epoch, generation } = by
    const order = {
      id: checked(spec.id),
      region: spec.region,
      release: spec.release,
      digest: spec.digest,
      artifact,
      manifest: `${artifact}.json`,
      command: start,
      env: {
        ...env,
        IMMUNITY_RELEASE: spec.release,
        IMMUNITY_REGION: spec.region,
        IMMUNITY_INSTANCE: spec.id,
      },
      host: this.#parts.host,
      memory,
      cpus,
      health: health.path,
      by: { app, epoch, generation },
    }
    await this.#change(() => callDriver(this.#parts.driver, "start", order, signal)).catch(
      (error: unknown) => {
        throw error instanceof DriverRefusal && error.code === "no-capacity"
          ? new NoRoom(error.message)
          : error
      },
    )
  }

  async stop(id: string, grace: number, signal: AbortSignal): Promise<void> {
    const order = { id: checked(id), graceMs: grace }
    await this.#change(() => callDriver(this.#parts.driver, "stop", order, signal, grace))
    // What was said on the way out may be asked for when the driver has forgotten it.
    await this.#readLogs([id]).catch(() => undefined)
  }

  async list(): Promise<readonly RunningInstance[]> {
    const { instances } = await this.#seen()
    if (this.#parts.clock.mono() - this.#logsAt >= logsEvery) {
      this.#logsAt = this.#parts.clock.mono()
      void this.#readLogs(instances.map(({ id }) => id)).catch(() => undefined)
    }
    return instances.map(described)
  }

  /** What it said last: nobody who looks at the instances waits for this. Nothing, until it has answered. */
  async capacity(): Promise<Capacity> {
    const now = this.#parts.clock.mono()
    if (now - this.#roomAt >= roomEvery) {
      this.#roomAt = now
      void this.#askForRoom().catch(() => undefined)
    }
    return this.#room
  }

  async #askForRoom(): Promise<void> {
    const signal = AbortSignal.timeout(60_000)
    this.#verbs ??= (await callDriver(this.#parts.driver, "capabilities", {}, signal)).verbs
    if (!this.#verbs.includes("capacity")) return
    const { instances, memory, cpus } = await callDriver(this.#parts.driver, "capacity", {}, signal)
    this.#room = { instances, memory, cpus }
  }

  async forget(id: string): Promise<void> {
    const order = { id: checked(id) }
    await this.#change(() => callDriver(this.#parts.driver, "forget", order, AbortSignal.timeout(120_000)))
  }

  /**
   * Instances serve on while their driver fails, and a swap back must not wait for it: what it said last holds
   * then; whether an instance serves is told by its probe and not by the driver.
   */
  async #seen(): Promise<Answer<"list">> {
    const now = this.#parts.clock.mono()
    if (this.#look === undefined || now - this.#look.at >= (this.#parts.lookEveryMs ?? defaultLookEvery)) {
      const found = callDriver(this.#parts.driver, "list", {}, AbortSignal.timeout(60_000))
      this.#look = { at: now, found }
      found.catch(() => undefined)
    }
    try {
      this.#last = await this.#look.found
    } catch (error) {
      if (this.#last === undefined) throw error
    }
    return this.#last
  }

  /** A change ends every look that began before it. No more than four drivers change something at one moment. */
  async #change<T>(act: () => Promise<T>): Promise<T> {
    if (this.#running >= mostAtOnce) await new Promise<void>((resolve) => this.#queue.push(resolve))
    else this.#running++
    try {
      return await act()
    } finally {
      this.#look = undefined
      const next = this.#queue.shift()
      if (next) next()
      else this.#running--
    }
  }

  /** One after the other: each begins where the last one ended. */
  async #readLogs(ids: readonly string[]): Promise<void> {
    const before = this.#reading
    const mine = (async () => {
      await before?.catch(() => undefined)
      await this.#logs.read(ids, (from) =>
        callDriver(this.#parts.driver, "logs", { from }, AbortSignal.timeout(60_000)),
      )
    })()
    this.#reading = mine
    await mine
  }
}

type Told = Answer<"list">["instances"][number]

const described = (told: Told): RunningInstance => ({
  id: told.id,
  state: told.state,
  address: told.address,
  startedAt: Date.parse(told.startedAt),
  exit: told.state === "ended" ? exitOf(told.exit) : undefined,
  memory: told.memory,
  differences: told.differences ?? [],
})

function exitOf(exit: Told["exit"]): Exit {
  const { code, signal, because } = exit ?? {}
  const how = signal ? `ended by ${signal}` : code === undefined ? undefined : `ended with exit code ${code}`
  return { code, signal, because: because ?? how ?? "ended; its driver does not say how" }
}

function checked(id: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,150}$/.test(id)) throw new Error(`${id} is not an instance id`)
  return id
}
