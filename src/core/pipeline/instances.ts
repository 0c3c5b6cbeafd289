import type { RolloutNumber } from "../model/ids.ts"
import type { Duration } from "../model/time.ts"
import { underway } from "../rollout/evolve-rollout.ts"
import { type Rollout, regionPolicy } from "../rollout/rollout.ts"
import { instancesFor } from "../rollout/schedule.ts"
import { trafficStep } from "../rollout/traffic.ts"
import type { Instance, Region } from "./application.ts"
import type { Draft } from "./draft.ts"
import { isLeft, isLost, placeFor } from "./servers.ts"

/** One replacement per pool and second: a crash loop must not become a storm of processes. */
export const replacementPause: Duration = 1_000

/** Every pool that is wanted has its instances; every other instance is on its way out. */
export function keepInstances(draft: Draft, found: Region): void {
  giveUpStarting(draft, found)
  const region = draft.region(found.name) ?? found
  const pools = new Set([region.stable, region.active, ...region.kept].filter((pool) => pool !== undefined))
  for (const pool of pools) keepPool(draft, region, pool)
  for (const instance of Object.values(region.instances)) {
    if (pools.has(instance.pool) || instance.retired) continue
    retire(
      draft,
      region,
      instance,
      draft.state.removed ? "its application is removed" : "its pool is no longer kept",
    )
  }
}

/** One that was started and lost before anybody saw it well is never seen again: another one takes its place. */
function giveUpStarting(draft: Draft, region: Region): void {
  const { deadline } = region.policy
  for (const instance of Object.values(region.instances)) {
    if (instance.state !== "starting" || instance.retired || draft.at < beginOf(draft, instance) + deadline)
      continue
    const noRoom = draft.limits.room?.refused[instance.id]
    // A rollout that holds for room starts its time anew when there is some.
    if (noRoom !== undefined && draft.rollout(instance.pool)?.phase.name === "holding") continue
    if (noRoom !== undefined) {
      retire(draft, region, instance, `there was no room for it: ${noRoom}`)
      continue
    }
    if (isLost(draft.state, instance.server)) {
      retire(draft, region, instance, `its server ${instance.server} does not answer`)
      continue
    }
    // Silent for a moment it is not lost yet: whoever cannot see it says nothing about it.
    if (!draft.answering.has(instance.server)) continue
    const because = `it was not healthy within ${Math.round(deadline / 1_000)} s`
    const exit = { code: undefined, signal: undefined, because }
    draft.conclude({ type: "instance-crashed", region: region.name, instance: instance.id, exit }, because)
  }
}

/** Provisioning that begins again, because there was no room or no server, gives everybody their time again. */
function beginOf(draft: Draft, { pool, requestedAt }: Instance): number {
  const phase = draft.rollout(pool)?.phase
  return phase?.name === "provisioning" ? Math.max(requestedAt, phase.since) : requestedAt
}

function keepPool(draft: Draft, region: Region, pool: RolloutNumber): void {
  const rollout = draft.rollout(pool)
  if (!rollout) return
  const wanted = Math.max(wantedCount(region, rollout) ?? 0, neededBack(draft, region, pool))
  if (wanted === 0) return
  const instances = Object.values(region.instances).filter((instance) => instance.pool === pool)
  const live = instances.filter((instance) => !instance.retired)
  const good = live.filter((instance) => !instance.condemned && !isLeft(draft.state, instance.server))
  const step = stepOf(rollout)
  const replacing = instances.some((instance) => instance.retired || instance.condemned)
  const newest = Math.max(0, ...instances.map((instance) => instance.requestedAt))
  const paused = replacing && draft.at < newest + replacementPause
  const missing = Math.min(wanted - good.length, roomFor(draft, rollout, wanted, instances))
  for (let more = missing; more > 0 && !paused; more--) request(draft, region.name, rollout, step)
  releaseCondemned(draft, region, live, wanted)
  leaveServers(draft, region, live, wanted)
}

/**
 * What is on servers that are left is unknown, not gone: beside it at most one server's share is started elsewhere,
 * until it has answered or ended.
 */
function roomFor(draft: Draft, rollout: Rollout, wanted: number, instances: readonly Instance[]): number {
  if (!instances.some(({ server }) => isLeft(draft.state, server))) return Number.POSITIVE_INFINITY
  const share = Math.ceil(wanted / regionPolicy(rollout).servers.length)
  return wanted + share - instances.length
}

/** One on a server that is left goes when another one serves in its place, not before. */
function leaveServers(draft: Draft, region: Region, live: readonly Instance[], wanted: number): void {
  const leaving = live.filter(({ server, condemned }) => !condemned && isLeft(draft.state, server))
  const ready = live.filter(
    ({ state, condemned, server }) => state === "ready" && !condemned && !isLeft(draft.state, server),
  )
  for (const instance of leaving.slice(0, Math.max(0, ready.length + leaving.length - wanted))) {
    const why = isLost(draft.state, instance.server) ? "does not answer" : "is drained"
    retire(draft, region, instance, `its server ${instance.server} ${why}, and another one took its place`)
  }
}

/** A server is back, and others have begun to do its work: of both only as many stay as are wanted. */
export function trimAfterReturn(draft: Draft): void {
  for (const { name } of draft.state.regions) {
    const region = draft.region(name)
    if (!region) continue
    for (const pool of new Set(Object.values(region.instances).map((instance) => instance.pool))) {
      const rollout = draft.rollout(pool)
      const wanted = rollout && wantedCount(region, rollout)
      if (wanted === undefined) continue
      const good = Object.values(region.instances).filter(
        (one) => one.pool === pool && !one.retired && !one.condemned && !isLeft(draft.state, one.server),
      )
      const notReadyFirst = (one: Instance) => (one.state === "ready" ? 0 : 1)
      const newestFirst = [...good].sort(
        (a, b) => notReadyFirst(b) - notReadyFirst(a) || b.requestedAt - a.requestedAt,
      )
      for (const instance of newestFirst.slice(0, Math.max(0, good.length - wanted)))
        retire(draft, region, instance, "the server that it stood in for is back")
    }
  }
}

/** One that was touched leaves as soon as a fresh one can serve in its place. */
function releaseCondemned(draft: Draft, region: Region, live: readonly Instance[], wanted: number): void {
  const ready = live.filter((instance) => instance.state === "ready" && !instance.condemned).length
  for (const instance of live) {
    if (instance.condemned && ready >= (instance.freshFirst ? wanted : 1))
      retire(draft, region, instance, instance.condemned)
  }
}

/** How many instances a pool should have; undefined: leave it as it is. */
function wantedCount(region: Region, rollout: Rollout): number | undefined {
  const { size } = regionPolicy(rollout)
  if (region.active !== rollout.number) return size
  const now = underway(rollout.phase)
  if (!now) return undefined
  if (now.name === "baking") return size
  const step = rollout.schedule[now.name === "mirroring" ? 0 : now.step]
  return step && instancesFor(step, size)
}

/** Whoever takes the users of a larger pool back must be as large: the traffic may have grown since. */
function neededBack(draft: Draft, region: Region, pool: RolloutNumber): number {
  const leaving = region.active === undefined ? undefined : draft.rollout(region.active)
  if (leaving?.phase.name !== "aborting" || leaving.phase.to !== pool) return 0
  return regionPolicy(leaving).size
}

/** A replacement takes the step that its pool has reached; new capacity the step that asks for it. */
function stepOf(rollout: Rollout): number {
  const now = underway(rollout.phase)
  if (now?.name === "provisioning" || now?.name === "verifying") return now.step
  if (now?.name === "mirroring") return 0
  const step = trafficStep(rollout)
  return Number.isFinite(step) ? Math.max(0, step) : rollout.schedule.length - 1
}

function request(draft: Draft, name: Region["name"], rollout: Rollout, step: number): void {
  const region = draft.region(name)
  if (!region) return
  const { servers } = regionPolicy(rollout)
  const server = placeFor(draft.state, region, rollout.number, servers)
  // All its servers are lost or drained: it waits for one of them.
  if (server === undefined) return
  const instance = `${draft.state.app}-${name}-r${rollout.number}-${region.nextSerial}`
  draft.conclude(
    {
      type: "instance-requested",
      region: name,
      instance,
      pool: rollout.number,
      server,
      step,
      replaces: undefined,
    },
    "its pool needs one more",
  )
}

function retire(draft: Draft, region: Region, instance: Instance, because: string): void {
  draft.conclude({ type: "instance-retired", region: region.name, instance: instance.id, because }, because)
}
