import { existsSync, statfsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import type { Agent, AgentInstance, Observed, Ordered } from "../ports/agent.ts"
import { NotFetched, type TravellingArtifacts } from "../ports/artifacts.ts"
import { type Compute, NoRoom, type RunningInstance } from "../ports/compute.ts"
import { about, countersAbout } from "../ports/observed.ts"
import type { Fence, Router, RouterState } from "../ports/router.ts"
import { limitedTo, machineCapacity } from "./capacity.ts"
import { Changes } from "./changes.ts"
import { Configurations } from "./configurations.ts"
import { type JobParts, Jobs, logPath } from "./jobs.ts"
import { KeepLogs } from "./keep-logs.ts"
import { readLog } from "./log-file.ts"
import { Memory } from "./memory.ts"
import { Probe } from "./probes.ts"
import { learnOwners, prune } from "./prune.ts"
import { Stir } from "./stir.ts"

export type AgentParts = JobParts & {
  readonly server: string
  readonly compute: Compute
  readonly router: Router
  /** What other servers may be given, and what they bring; absent: nothing travels. */
  readonly travelling?: TravellingArtifacts | undefined
  /** The most instances that may run here, of all applications; absent: as many as fit. */
  readonly mostInstances?: number | undefined
  /** Of this program. */
  readonly version?: string | undefined
}

/** Who ends waits no longer for a start that is under way. */
const longestStart = 10_000

/** While this file exists in the agent's folder, nothing is changed on its server. */
const killSwitchFile = "kill-switch"

/** The fencing point of one server: few verbs, checked against what it must never forget. */
export type LocalAgent = Agent & {
  readonly close: () => Promise<void>
  readonly instanceIds: () => Promise<readonly string[]>
  /** From now on none is started; those that run when whatever was under way is over. */
  readonly lastInstances: () => Promise<readonly string[]>
}

/** A prefix for keys in a cache that several releases share: none reads what another wrote. */
const namespaceOf = ({ release }: InstanceSpec) => ({ IMMUNITY_CACHE_NAMESPACE: release })

export async function createAgent(parts: AgentParts): Promise<LocalAgent> {
  const { compute, router, dir, clock } = parts
  await mkdir(join(dir, "logs"), { recursive: true })
  const memory = await Memory.open(dir)
  const stir = new Stir(clock)
  const jobs = await Jobs.open(
    parts,
    (app, digest) => memory.owns(app, [digest]),
    () => stir.now(),
  )
  await learnOwners(memory, jobs, parts.travelling)
  const configurations = await Configurations.open(dir)
  const probes = new Map<string, Probe>()
  const overMemory = new Map<string, string>()
  const changes = new Changes()
  const logs = new KeepLogs(join(dir, "logs"), (id) => jobs.list().some((job) => job.id === id))
  const underWay = new Map<string, Promise<unknown>>()
  const starting = new Set<string>()
  let places: Promise<unknown> = Promise.resolve()
  let isEnding = false

  const guarded = async (fence: Fence, act: () => Promise<Ordered>): Promise<Ordered> => {
    const refusal = forbidden(dir) ?? memory.stale(fence.app, fence.epoch)
    if (refusal !== undefined) return refused(refusal)
    await memory.fence(fence.app, fence.epoch)
    return act()
  }

  /** An order that was repeated because its answer got lost waits for the first one to end. */
  const oneByOne = async (id: string, act: () => Promise<Ordered>): Promise<Ordered> => {
    const before = underWay.get(id) ?? Promise.resolve()
    const mine = before.then(act, act)
    const done = mine.catch(() => undefined)
    underWay.set(id, done)
    try {
      return await mine
    } finally {
      if (underWay.get(id) === done) underWay.delete(id)
    }
  }

  /**
   * Takes a place, which is given back when its start is over; or why there is none. One at a time: nobody counts
   * what another is about to take.
   */
  const placeFor = async (id: string, signal: AbortSignal): Promise<string | undefined> => {
    const most = parts.mostInstances
    if (most === undefined) return undefined
    const before = places
    const mine = (async () => {
      await before.catch(() => undefined)
      const others = new Set(starting)
      for (const one of await compute.list(signal)) if (one.state === "running") others.add(one.id)
      others.delete(id)
      if (others.size >= most)
        return `${others.size} instances run on ${parts.server}, and at most ${most} may (--most-instances)`
      starting.add(id)
      return undefined
    })()
    places = mine
    return mine
  }

  /** Remembered before it runs, so that whatever runs is known to belong to somebody. */
  const startOne = async (fence: Fence, spec: InstanceSpec, signal: AbortSignal): Promise<void> => {
    const { configuration, ...lasting } = spec
    await memory.starts(fence.app, lasting)
    const [handed, granted] = compute.handsConfigurationOver
      ? [{ configuration }, {}]
      : [{}, await configurations.grant(fence.app, spec)]
    const env = { ...spec.run.env, ...namespaceOf(spec), ...granted }
    await compute.start({ ...lasting, ...handed, run: { ...spec.run, env } }, fence, signal)
    await memory.started(spec.id)
  }

  const describe = (running: RunningInstance): AgentInstance => {
    const known = memory.spec(running.id)
    const base = {
      id: running.id,
      app: known?.app ?? "",
      address: running.address,
      startedAt: running.startedAt,
      memory: running.memory,
      differences: running.differences,
    }
    if (running.state === "ended" || !known) {
      probes.get(running.id)?.stop()
      probes.delete(running.id)
      const because = overMemory.get(running.id)
      const exit = running.exit && because ? { ...running.exit, because } : running.exit
      return { ...base, state: "ended", exit, probe: undefined }
    }
    // Where a machine of its own boots first, its address comes later than its start.
    if (running.address === undefined)
      return { ...base, state: "starting", exit: undefined, probe: undefined }
    const probe =
      probes.get(running.id) ?? new Probe(running.address, known.spec.run.health, clock, () => stir.now())
    probes.set(running.id, probe)
    watchMemory(running, known.spec)
    const { ready, everReady, said } = probe.health
    return {
      ...base,
      state: ready ? "ready" : everReady ? "unready" : "starting",
      exit: undefined,
      probe: said,
    }
  }

  /** A leak ends the instance, not its neighbours. */
  const watchMemory = (running: RunningInstance, spec: InstanceSpec): void => {
    const limit = spec.run.memory
    if (
      limit === undefined ||
      running.memory === undefined ||
      running.memory <= limit ||
      overMemory.has(running.id)
    )
      return
    const mb = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MB`
    overMemory.set(running.id, `out of memory: it used ${mb(running.memory)}, its limit is ${mb(limit)}`)
    // Seen again by the next look when it could not be ended now.
    compute.stop(running.id, 0, AbortSignal.timeout(10_000)).catch(() => overMemory.delete(running.id))
  }

  const releasedThere = async (id: string, signal: AbortSignal): Promise<boolean> =>
    memory.wasReleased(id) || (await router.state(signal)).released.includes(id)

  const observe = async (signal: AbortSignal): Promise<Observed> => {
    const [running, told, seen] = await Promise.all([
      compute.list(signal),
      // What is not known is not told; nothing waits for it.
      compute.capacity?.(signal).catch(() => ({})),
      router.state(signal).then(
        (state): { state: RouterState | undefined; problem: string | undefined } => ({
          state,
          problem: state.degraded,
        }),
        (error: unknown) => ({
          state: undefined,
          problem: error instanceof Error ? error.message : String(error),
        }),
      ),
    ])
    const disk = statfsSync(dir)
    return {
      server: parts.server,
      at: clock.now(),
      instances: running.map(describe),
      jobs: jobs.list(),
      router: seen.state,
      routerProblem: seen.problem,
      diskFree: disk.bavail * disk.bsize,
      capacity: limitedTo(parts.mostInstances, running, told ?? machineCapacity()),
      version: parts.version,
      pid: process.pid,
    }
  }

  // Memory and logs are watched also while no control plane asks.
  const lookAtAll = (): void => {
    void compute
      .list(AbortSignal.timeout(5_000))
      .then((all) => {
        all.forEach(describe)
        const running = all.flatMap(({ id, state }) => (state === "running" ? [id] : []))
        if (!compute.continuesLogs) logs.look(running, clock.now())
      })
      .catch(() => undefined)
  }
  const instanceIds = async () => (await compute.list(AbortSignal.timeout(5_000))).map(({ id }) => id)
  const beat = setInterval(lookAtAll, 500)
  let begins: NodeJS.Timeout | undefined
  /** What was started is asked for its health from then on, and not when somebody next looks. */
  const lookSoon = (): void => {
    begins ??= setTimeout(() => {
      begins = undefined
      lookAtAll()
    }, 20)
  }

  return {
    server: parts.server,
    async fence(app, epoch, signal) {
      const refusal = forbidden(dir) ?? memory.stale(app, epoch)
      if (refusal !== undefined) return refused(refusal)
      const applied = await router.fence(app, epoch, signal)
      if (applied.kind === "refused") return refused(applied.because)
      await memory.fence(app, epoch)
      return { kind: "done" }
    },
    observe: async (apps, signal) => about(new Set(apps), await observe(signal)),
    async news(since, signal, within = 0) {
      if (within > 0) await stir.since(changes.stirs(since), within, signal)
      const { count } = stir
      return changes.since(since, await observe(signal), count)
    },
    putSource: (fence, commit, tar) =>
      guarded(fence, async () => {
        await jobs.putSource(commit, tar)
        return { kind: "done" }
      }),
    hasArtifact: async (digest) => (await parts.travelling?.has(digest)) ?? false,
    async getArtifact(digest, _signal, lean) {
      if (!parts.travelling) throw new Error("artifacts of this server do not travel")
      return parts.travelling.pack(digest, lean)
    },
    putArtifact: (fence, digest, tar) =>
      guarded(fence, () =>
        oneByOne(digest, async () => {
          if (!parts.travelling) return refused("artifacts of other servers are not taken here")
          if (await parts.travelling.has(digest)) tar.resume()
          else
            try {
              await parts.travelling.unpack(digest, tar)
            } catch (error) {
              if (error instanceof NotFetched) return { ...refused(error.message), code: "not-fetched" }
              throw error
            }
          await memory.owns(fence.app, [digest])
          return { kind: "done" }
        }),
      ),
    async keepArtifacts(fence, keep) {
      const refusal = forbidden(dir) ?? memory.stale(fence.app, fence.epoch)
      if (refusal !== undefined) return refused(refusal)
      await memory.fence(fence.app, fence.epoch)
      if (!parts.travelling) return refused("artifacts of this server are not removed")
      if (jobs.list().some(({ app, state }) => app === fence.app && state === "running"))
        return refused(`a job of ${fence.app} runs here, and may need what is there`)
      return prune({ memory, clock, artifacts: parts.travelling }, fence.app, keep === "nothing" ? [] : keep)
    },
    runJob: (fence, job, url) =>
      guarded(fence, async () => {
        await jobs.run(fence.app, job, url)
        return { kind: "done" }
      }),
    startInstance: (fence, spec, signal) =>
      guarded(fence, () =>
        oneByOne(spec.id, async () => {
          if (isEnding) return refused(`the agent of ${parts.server} is being ended; it starts nothing more`)
          if (memory.wasReleased(spec.id))
            return refused(`${spec.id} was released; its id is never used again`)
          if (memory.wasStarted(spec.id)) {
            const known = (await compute.list(signal)).some((running) => running.id === spec.id)
            const runs = memory.spec(spec.id)?.spec.digest
            if (known && runs !== undefined && runs !== spec.digest)
              return refused(`${spec.id} runs another artifact, ${runs}; its id is never used again`)
            return known
              ? { kind: "done" }
              : refused(`${spec.id} ran before and ended; its id is never used again`)
          }
          const full = await placeFor(spec.id, signal)
          if (full !== undefined) return noRoom(full)
          try {
            await startOne(fence, spec, signal)
            lookSoon()
            return { kind: "done" }
          } catch (error) {
            if (error instanceof NoRoom) return noRoom(error.message)
            throw error
          } finally {
            starting.delete(spec.id)
          }
        }),
      ),
    stopInstance: (fence, id, grace, signal) =>
      guarded(fence, () =>
        oneByOne(id, async () => {
          if (memory.spec(id) && memory.spec(id)?.app !== fence.app)
            return refused(`${id} belongs to another application`)
          if (!(await releasedThere(id, signal)))
            return refused(`${id} is not released by the router; users may still be on it`)
          probes.get(id)?.stop()
          probes.delete(id)
          await compute.stop(id, grace, AbortSignal.timeout(grace + 10_000))
          await compute.forget(id)
          await memory.gone(id)
          await configurations.withdraw(id)
          overMemory.delete(id)
          return { kind: "done" }
        }),
      ),
    async setRoutes(fence, routes, signal) {
      const refusal = forbidden(dir) ?? memory.stale(fence.app, fence.epoch)
      if (refusal !== undefined) return { kind: "refused", code: "stale", because: refusal }
      await memory.fence(fence.app, fence.epoch)
      return router.setRoutes(fence, routes, signal)
    },
    async releaseInstance(fence, id, drain, signal) {
      const refusal = forbidden(dir) ?? memory.stale(fence.app, fence.epoch)
      if (refusal !== undefined) return refused(refusal)
      await memory.fence(fence.app, fence.epoch)
      const answer = await router.release(fence, id, drain, signal)
      if (answer.kind === "released") await memory.released(id)
      return answer
    },
    counters: async (apps, signal) => countersAbout(new Set(apps), await router.counters(signal)),
    async log(of, from, limit) {
      const id = "job" in of ? of.job : of.instance
      const ended =
        "job" in of
          ? jobs.list().find((job) => job.id === id)?.state !== "running"
          : memory.spec(id) === undefined
      return readLog(logPath(dir, id), from, Math.min(limit, 256 * 1024), ended)
    },
    async close() {
      clearInterval(beat)
      clearTimeout(begins)
      for (const probe of probes.values()) probe.stop()
      await Promise.all([jobs.stop(), configurations.close()])
    },
    instanceIds,
    async lastInstances() {
      isEnding = true
      const impatience = new AbortController()
      await Promise.race([
        Promise.allSettled(underWay.values()),
        clock.sleep(longestStart, impatience.signal),
      ])
      impatience.abort()
      return instanceIds()
    },
  }
}

const refused = (because: string): { readonly kind: "refused"; readonly because: string } => ({
  kind: "refused",
  because,
})

const noRoom = (because: string): Ordered => ({ kind: "refused", because, code: "no-room" })

const forbidden = (dir: string): string | undefined =>
  existsSync(join(dir, killSwitchFile))
    ? `the kill switch is set on this server (${killSwitchFile}); nothing is changed here`
    : undefined
