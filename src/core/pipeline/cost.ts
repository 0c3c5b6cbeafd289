import type { ReleaseId, RolloutNumber } from "../model/ids.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Rollout } from "../rollout/rollout.ts"
import type { Application, Region } from "./application.ts"

/** Who pays for what changed: a pool before it serves for itself, whoever serves for what is older. */
export function metered(before: Application, after: Application, at: Instant): Application {
  if (before.regions === after.regions) return after
  let { rollouts } = after
  for (const region of after.regions) {
    const old = before.regions.find(({ name }) => name === region.name)
    if (old === region) continue
    const now = extraIn(region)
    for (const pool of new Set([...now.keys(), ...(old ? extraIn(old).keys() : [])])) {
      const rollout = rollouts[pool]
      const extra = now.get(pool) ?? 0
      if (!rollout || (rollout.cost?.extra ?? 0) === extra) continue
      rollouts = {
        ...rollouts,
        [pool]: { ...rollout, cost: { spent: spentBy(rollout, at), extra, since: at } },
      }
    }
  }
  return rollouts === after.rollouts ? after : { ...after, rollouts }
}

/** Instances beside those that serve, by the rollout that pays for them; a first release doubles nothing. */
function extraIn({ stable, instances }: Region): ReadonlyMap<RolloutNumber, number> {
  const found = new Map<RolloutNumber, number>()
  if (stable === undefined) return found
  for (const { pool, state } of Object.values(instances)) {
    if (pool === stable || state === "ended") continue
    const payer = Math.max(pool, stable)
    found.set(payer, (found.get(payer) ?? 0) + 1)
  }
  return found
}

/** Instance time of one rollout until then. */
export function spentBy({ cost }: Pick<Rollout, "cost">, at: Instant): Duration {
  return cost === undefined ? 0 : cost.spent + cost.extra * Math.max(0, at - cost.since)
}

/** Of a release over all of its regions: its instance time until then, and how many run beside what serves now. */
export function costOf(
  app: Application,
  release: ReleaseId,
  at: Instant,
): { readonly spent: Duration; readonly extra: number } {
  const own = Object.values(app.rollouts).filter((rollout) => rollout.release === release)
  return {
    spent: own.reduce((sum, rollout) => sum + spentBy(rollout, at), 0),
    extra: own.reduce((sum, { cost }) => sum + (cost?.extra ?? 0), 0),
  }
}
