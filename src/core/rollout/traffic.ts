import type { RolloutNumber } from "../model/ids.ts"
import type { Application, Instance, Region } from "../pipeline/application.ts"
import { underway } from "./evolve-rollout.ts"
import { type Rollout, regionPolicy } from "./rollout.ts"

/** The instances of a pool that may meet traffic now: healthy, wanted, and their step has come. */
const servingInstances = (app: Application, region: Region, pool: RolloutNumber) =>
  inRoute(app, region, pool, "ready")

/** Those of the old pool that were well last and still run. */
const lastResort = (app: Application, region: Region): readonly Instance[] =>
  region.stable === undefined ? [] : inRoute(app, region, region.stable, "unready")

/**
 * The instances that the route names for a pool of this weight. Where it gives users to an old pool with nobody
 * healthy in it, those whose probe fails: a bad answer is better than none. A candidate that is not well gets nobody.
 */
export function routedInstances(
  app: Application,
  region: Region,
  pool: RolloutNumber,
  weight: number,
): readonly Instance[] {
  const healthy = servingInstances(app, region, pool)
  return healthy.length === 0 && weight > 0 && pool === region.stable ? lastResort(app, region) : healthy
}

function inRoute(
  app: Application,
  region: Region,
  pool: RolloutNumber,
  state: Instance["state"],
): readonly Instance[] {
  const rollout = app.rollouts[pool]
  const step = rollout ? trafficStep(rollout) : -1
  return Object.values(region.instances).filter(
    (instance) =>
      instance.pool === pool &&
      instance.state === state &&
      instance.address !== undefined &&
      !instance.retired &&
      instance.step <= step,
  )
}

/** The step whose instances are in the route; a finished pool serves with all it has. */
export function trafficStep(rollout: Rollout): number {
  const now = underway(rollout.phase)
  if (!now) return rollout.phase.name === "queued" ? -1 : Number.POSITIVE_INFINITY
  switch (now.name) {
    case "provisioning":
    case "verifying":
      return now.step - 1
    case "mirroring":
      return -1
    default:
      return now.name === "shifting" ? now.step : Number.POSITIVE_INFINITY
  }
}

/** The share of the route that a rollout's phase asks for, 0 to 1, before looking at what is healthy. */
function askedShare(rollout: Rollout): number {
  const { phase } = rollout
  if (phase.name === "holding" && phase.hold.weight === "zero") return 0
  const now = underway(phase)
  if (!now) return 0
  switch (now.name) {
    case "provisioning":
    case "verifying":
      return now.step > 0 ? (rollout.schedule[now.step - 1]?.weight ?? 0) : 0
    case "mirroring":
      return 0
    case "shifting":
      return rollout.schedule[now.step]?.weight ?? 0
    default:
      return 1
  }
}

/**
 * What the route's weights should be, in percent, by pool. A weight never exceeds the healthy share of its
 * pool; a pool with nobody healthy gets nothing while another can serve. With nobody healthy at all the old pool
 * keeps its users as long as it runs: its probe may fail for less than they do. Sums to 100, or is empty.
 */
export function targetWeights(app: Application, region: Region): Readonly<Record<RolloutNumber, number>> {
  const weights = healthyWeights(app, region)
  const { stable } = region
  if (stable === undefined || Object.keys(weights).length > 0) return weights
  return lastResort(app, region).length > 0 ? { [stable]: 100 } : {}
}

function healthyWeights(app: Application, region: Region): Readonly<Record<RolloutNumber, number>> {
  const { stable, active } = region
  const rollout = active === undefined ? undefined : app.rollouts[active]
  const old = stable === undefined ? 0 : servingInstances(app, region, stable).length
  const fresh = active === undefined ? 0 : servingInstances(app, region, active).length
  if (stable === undefined)
    return active !== undefined && rollout && askedShare(rollout) > 0 && fresh > 0 ? { [active]: 100 } : {}
  if (active === undefined || !rollout) return old > 0 ? { [stable]: 100 } : {}
  if (isLeaving(rollout)) return leavingWeights(app, region, rollout, stable, active, old, fresh)
  const { size } = regionPolicy(rollout)
  let share = Math.min(askedShare(rollout), fresh / size)
  if (old === 0 && fresh > 0 && askedShare(rollout) > 0) share = 1
  if (fresh === 0) share = 0
  if (share === 0 && old === 0) return {}
  const percent = Math.round(share * 10_000) / 100
  return { [stable]: 100 - percent, [active]: percent }
}

/** Back at once when half of the old pool is healthy; before that a bad answer is better than none. */
function leavingWeights(
  app: Application,
  region: Region,
  rollout: Rollout,
  stable: RolloutNumber,
  active: RolloutNumber,
  old: number,
  fresh: number,
): Readonly<Record<RolloutNumber, number>> {
  const { size } = regionPolicy(rollout)
  const had = region.weights[active] ?? 0
  if (old * 2 >= size || fresh === 0 || had === 0) return old > 0 ? { [stable]: 100, [active]: 0 } : {}
  const takers = old + lastResort(app, region).length
  const percent = takers === 0 ? 100 : Math.min(had, Math.round((1 - old / size) * 100))
  return { [stable]: 100 - percent, [active]: percent }
}

/** Its users go back, because it failed, or because it is halted or unwatched. */
const isLeaving = ({ phase }: Rollout): boolean =>
  phase.name === "aborting" ||
  phase.name === "rolling-back" ||
  (phase.name === "holding" && phase.hold.weight === "zero")
