import type { RolloutNumber } from "../model/ids.ts"
import type { Duration } from "../model/time.ts"
import { underway } from "../rollout/evolve-rollout.ts"
import { type Rollout, regionPolicy } from "../rollout/rollout.ts"
import { instancesFor } from "../rollout/schedule.ts"
import { trafficStep } from "../rollout/traffic.ts"
import type { Instance, Region } from "./application.ts"
import type { Draft } from "./draft.ts"

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
    retire(draft, region, instance, "its pool is no longer kept")
  }
}

/** One that was started and lost before anybody saw it well is never seen again: another one takes its place. */
function giveUpStarting(draft: Draft, region: Region): void {
  const { deadline } = region.policy
  for (const instance of Object.values(region.instances)) {
    if (instance.state !== "starting" || instance.retired || draft.at < instance.requestedAt + deadline)
      continue
    const because = `it was not healthy within ${Math.round(deadline / 1_000)} s`
    const exit = { code: undefined, signal: undefined, because }
    draft.conclude({ type: "instance-crashed", region: region.name, instance: instance.id, exit }, because)
  }
}

function keepPool(draft: Draft, region: Region, pool: RolloutNumber): void {
  const rollout = draft.rollout(pool)
  if (!rollout) return
  const wanted = Math.max(wantedCount(region, rollout) ?? 0, neededBack(draft, region, pool))
  if (wanted === 0) return
  const instances = Object.values(region.instances).filter((instance) => instance.pool === pool)
  const live = instances.filter((instance) => !instance.retired)
  const good = live.filter((instance) => !instance.condemned)
  const step = stepOf(rollout)
  const replacing = instances.some((instance) => instance.retired || instance.condemned)
  const newest = Math.max(0, ...instances.map((instance) => instance.requestedAt))
  const paused = replacing && draft.at < newest + replacementPause
  for (let missing = wanted - good.length; missing > 0 && !paused; missing--)
    request(draft, region.name, rollout, step)
  releaseCondemned(draft, region, live)
}

/** One that was touched leaves as soon as a fresh one can serve in its place. */
function releaseCondemned(draft: Draft, region: Region, live: readonly Instance[]): void {
  const ready = live.filter((instance) => instance.state === "ready" && !instance.condemned).length
  for (const instance of live) {
    if (instance.condemned && ready > 0) retire(draft, region, instance, instance.condemned)
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
  const instance = `${draft.state.app}-${name}-r${rollout.number}-${region.nextSerial}`
  const server = leastUsed(region, servers)
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

function leastUsed(region: Region, servers: readonly string[]): string {
  const used = (server: string) =>
    Object.values(region.instances).filter((instance) => instance.server === server && !instance.retired)
      .length
  return servers.reduce((best, server) => (used(server) < used(best) ? server : best), servers[0] ?? "local")
}

function retire(draft: Draft, region: Region, instance: Instance, because: string): void {
  draft.conclude({ type: "instance-retired", region: region.name, instance: instance.id, because }, because)
}
