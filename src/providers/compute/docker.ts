import type { Digest } from "../../core/model/ids.ts"
import type { InstanceSpec } from "../../core/pipeline/effects.ts"
import type { Difference, Exit } from "../../core/pipeline/events.ts"
import { toldTo } from "../../core/pipeline/told.ts"
import type { Clock } from "../../ports/clock.ts"
import type { Compute, RunningInstance } from "../../ports/compute.ts"
import { type Container, type ContainerOrder, type Containers, handedAt } from "../../ports/containers.ts"
import type { Fence } from "../../ports/router.ts"
import { wordsOf } from "./container-command.ts"
import { ContainerLogs } from "./container-logs.ts"
import { ContainerOrders } from "./container-orders.ts"
import { EngineWord } from "./engine-word.ts"
import { Handed, handedFile } from "./handed.ts"
import { type Namespaces, type Process, processesByNamespace } from "./namespaces.ts"

const inside = 8_080
const driftEvery = 2_000
const engineNotices = 3_000
const longestComparison = 15_000
const defaultMemory = 1024 ** 3
const defaultCpus = 2

export type DockerComputeParts = {
  /** Holds `logs/<instance>.log` and `containers/<instance>.json`. */
  readonly dir: string
  /** Where containers' configurations lie; the engine must know the same folder. */
  readonly handed: string
  readonly containers: Containers
  readonly clock: Clock
  /** The first part of this agent's container names: twelve hex digits that no other agent has. */
  readonly key: string
  /** Why an image may not run here; undefined when it may. */
  readonly objection: (image: Digest, signal: AbortSignal) => Promise<string | undefined>
}

/** Instances as containers, each from an image named by its digest; they outlive whoever started them. */
export function dockerCompute(parts: DockerComputeParts): Compute {
  return new DockerCompute(parts)
}

/** `at`: when the last comparison ended. */
type Looked = { at: number; found: readonly Difference[]; comparing?: Promise<void> | undefined }

class DockerCompute implements Compute {
  readonly #parts: DockerComputeParts
  readonly handsConfigurationOver = true
  readonly #orders: ContainerOrders
  readonly #handed: Handed
  readonly #logs: ContainerLogs
  readonly #ordered = new Set<string>()
  readonly #word: EngineWord
  readonly #looked = new Map<string, Looked>()
  /** First processes of running containers, and when they were seen last with our own eyes. */
  readonly #seen = new Map<string, { readonly pid: number; readonly at: number }>()

  constructor(parts: DockerComputeParts) {
    this.#parts = parts
    this.#orders = new ContainerOrders(parts.dir)
    this.#handed = new Handed(parts.handed)
    this.#logs = new ContainerLogs(parts.dir, parts.containers)
    this.#word = new EngineWord(parts.containers, parts.clock)
  }

  async start(spec: InstanceSpec, by: Fence, signal: AbortSignal): Promise<void> {
    await this.#word.change(() => this.#start(spec, by, signal))
  }

  async #start(spec: InstanceSpec, by: Fence, signal: AbortSignal): Promise<void> {
    const { containers, objection } = this.#parts
    const found = containers.find(this.#name(spec.id), signal)
    const objected = objection(spec.digest, signal)
    // Where the container is there, nobody waits for it.
    objected.catch(() => undefined)
    const known = await found
    if (known && known.state !== "created") return
    const because = known ? undefined : await objected
    if (because !== undefined) throw new Error(because)
    // A create whose answer got lost, or a crash right after it: it is there and was never started.
    const id = known?.id ?? (await this.#create(spec, by, signal))
    await containers.start(id, signal)
  }

  async #create(spec: InstanceSpec, by: Fence, signal: AbortSignal): Promise<string> {
    const name = this.#name(spec.id)
    const told = toldTo(by.app, spec)
    const order = orderOf(name, spec, by, told && (await this.#handed.put(name, told)))
    // Before it exists: whatever runs is known by what was ordered, also after a crash.
    await this.#orders.remember(spec.id, order)
    return this.#parts.containers.create(order, signal)
  }

  async stop(id: string, grace: number, signal: AbortSignal): Promise<void> {
    const container = await this.#parts.containers.find(this.#name(id), signal)
    if (!container || container.state === "ended") return
    this.#ordered.add(id)
    await this.#word.change(() => this.#parts.containers.stop(container.id, grace, signal))
  }

  async list(signal: AbortSignal): Promise<readonly RunningInstance[]> {
    const [containers, processes] = await this.#seenNow(signal)
    return containers.flatMap((container) => {
      const id = this.#instanceOf(container)
      // One that was created and not started does not count: its order comes again, and then it is started.
      if (id === undefined || container.state === "created") return []
      return [this.#describe(id, container, processes.of(container.pid))]
    })
  }

  /**
   * Containers serve on while their engine does not answer, and a swap back must not wait for it: what it said
   * last holds then, and their processes are looked at without it. So it is for a moment where it does answer.
   */
  async #seenNow(signal: AbortSignal): Promise<readonly [readonly Container[], Namespaces]> {
    const { recent } = this.#word
    if (recent) {
      const processes = processesByNamespace()
      const lives = ({ state, pid }: Container) => state !== "running" || processes.of(pid).length > 0
      if (recent.every(lives)) return [recent, processes]
    }
    const containers = await this.#word.now(signal)
    return [containers, processesByNamespace()]
  }

  async forget(id: string): Promise<void> {
    const signal = AbortSignal.timeout(30_000)
    const container = await this.#parts.containers.find(this.#name(id), signal)
    if (container) await this.#word.change(() => this.#parts.containers.remove(container.id, signal))
    await this.#handed.remove(this.#name(id))
    await this.#orders.forget(id)
    this.#logs.leave(id)
    this.#ordered.delete(id)
    this.#looked.delete(id)
    this.#seen.delete(id)
  }

  #describe(id: string, container: Container, processes: readonly Process[]): RunningInstance {
    this.#logs.follow(id, container.id)
    const running = container.state === "running" && !this.#died(id, container, processes)
    return {
      id,
      state: running ? "running" : "ended",
      address: container.address,
      startedAt: container.startedAt,
      exit: running ? undefined : exitOf(container, this.#ordered.has(id)),
      memory: processes.length > 0 ? processes.reduce((sum, { memory }) => sum + memory, 0) : undefined,
      differences: running ? this.#differences(id, container, processes) : [],
    }
  }

  /**
   * An engine may say "running" of what died: where its process was seen once and is there no more, the engine
   * gets a moment to notice, for it knows more of the end; then it is over all the same.
   */
  #died(id: string, container: Container, processes: readonly Process[]): boolean {
    const { pid } = container
    if (pid === undefined) return false
    const now = this.#parts.clock.mono()
    if (processes.length > 0) this.#seen.set(id, { pid, at: now })
    const seen = this.#seen.get(id)
    return seen?.pid === pid && now - seen.at > engineNotices
  }

  /**
   * As of the last comparison: an engine takes its time for one, and nobody who looks waits for it. One at a time, so
   * that a slow one cannot overwrite what a later one found.
   */
  #differences(id: string, container: Container, processes: readonly Process[]): readonly Difference[] {
    const { clock } = this.#parts
    const known: Looked = this.#looked.get(id) ?? { at: Number.NEGATIVE_INFINITY, found: [] }
    this.#looked.set(id, known)
    if (!known.comparing && clock.mono() - known.at >= driftEvery) {
      known.comparing = this.#compare(id, container, processes, AbortSignal.timeout(longestComparison))
        .then(
          (found) => {
            known.found = found
          },
          () => undefined,
        )
        .finally(() => {
          known.at = clock.mono()
          known.comparing = undefined
        })
    }
    return known.found
  }

  async #compare(
    id: string,
    container: Container,
    processes: readonly Process[],
    signal: AbortSignal,
  ): Promise<readonly Difference[]> {
    const order = await this.#orders.read(id)
    if (!order) return [{ path: "its order: this agent has none on record", what: "removed" }]
    const strangers = processes.filter(({ entered }) => entered)
    const told = await this.#handed.digest(order.name)
    return [
      ...(told === order.configuration
        ? []
        : [{ path: `${handedAt}/${handedFile}`, what: told ? ("changed" as const) : ("removed" as const) }]),
      ...strangers.map(({ name }) => ({ path: `process ${name}`, what: "added" as const })),
      ...(await this.#parts.containers.differences(container.id, order, signal)),
    ]
  }

  #name(id: string): string {
    if (!/^[a-z0-9][a-z0-9-]{0,150}$/.test(id)) throw new Error(`${id} is not an instance id`)
    return `immunity-${this.#parts.key}-${id}`
  }

  #instanceOf(container: Container): string | undefined {
    const prefix = `immunity-${this.#parts.key}-`
    return container.name.startsWith(prefix) ? container.name.slice(prefix.length) : undefined
  }
}

const orderOf = (
  name: string,
  spec: InstanceSpec,
  by: Fence,
  configuration: Digest | undefined,
): ContainerOrder => ({
  name,
  image: spec.digest,
  command: wordsOf(spec.run.start),
  env: {
    ...spec.run.env,
    HOST: "0.0.0.0",
    PORT: String(inside),
    HOME: "/tmp",
    TMPDIR: "/tmp",
    IMMUNITY_RELEASE: spec.release,
    IMMUNITY_REGION: spec.region,
    IMMUNITY_INSTANCE: spec.id,
    ...(configuration === undefined ? {} : { IMMUNITY_CONFIGURATION_FILE: `${handedAt}/${handedFile}` }),
  },
  port: inside,
  memory: spec.run.memory ?? defaultMemory,
  cpus: spec.run.cpus ?? defaultCpus,
  configuration,
  about: { app: by.app, region: spec.region, release: spec.release, instance: spec.id, epoch: by.epoch },
})

function exitOf(container: Container, ordered: boolean): Exit {
  const { exitCode: code, memoryLimit } = container
  const limit = memoryLimit === undefined ? "" : `: its limit is ${Math.round(memoryLimit / 1024 ** 2)} MB`
  if (ordered) return { code, signal: undefined, because: "ended as ordered" }
  if (container.outOfMemory) return { code, signal: "SIGKILL", because: `out of memory${limit}` }
  // Podman does not say that it was the memory; nobody else ends a container of ours in this way.
  if (code === 137)
    return { code, signal: "SIGKILL", because: `ended by SIGKILL, most likely out of memory${limit}` }
  if (code === undefined)
    return { code, signal: undefined, because: "ended; the engine still calls it running" }
  return { code, signal: undefined, because: `ended with exit code ${code}` }
}
