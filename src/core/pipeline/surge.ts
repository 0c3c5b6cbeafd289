import type { ReleaseId } from "../model/ids.ts"
import type { Duration, Instant } from "../model/time.ts"
import type { Application, Region } from "./application.ts"
import { costOf } from "./cost.ts"
import type { Draft } from "./draft.ts"

/** Why a person is asked before the next region; undefined when the budget is not spent, or asks nobody. */
export function tooCostly(app: Application, release: ReleaseId, at: Instant): string | undefined {
  const surge = app.releases[release]?.policy.surge
  if (surge?.then !== "ask") return undefined
  const { spent } = costOf(app, release, at)
  if (spent < surge.budget) return undefined
  return `${costInWords(spent, surge.budget)}: a person decides whether it goes on`
}

/** The pools that are kept beside what serves end when their release's budget is spent. */
export function endCostlyPools(draft: Draft, region: Region): void {
  const rollout = region.stable === undefined ? undefined : draft.rollout(region.stable)
  const { surge } = rollout?.policy ?? {}
  if (!rollout || surge?.then !== "release" || region.kept.length === 0) return
  const { spent } = costOf(draft.state, rollout.release, draft.at)
  if (spent < surge.budget) return
  const because = `${costInWords(spent, surge.budget)}: there is no instant way back from here`
  draft.conclude({ type: "pools-released", region: region.name }, because)
}

/** When the budget of what serves there is spent, if all stays as it is. */
export function spentAt(app: Application, region: Region, now: Instant): Instant | undefined {
  const rollout = region.stable === undefined ? undefined : app.rollouts[region.stable]
  const { surge } = rollout?.policy ?? {}
  if (!rollout || surge?.then !== "release" || region.kept.length === 0) return undefined
  const { spent, extra } = costOf(app, rollout.release, now)
  return extra === 0 ? undefined : now + Math.max(0, Math.ceil((surge.budget - spent) / extra))
}

const minutes = (time: Duration): string => String(Math.round(time / 6_000) / 10)

/** `91.5 of 90 instance minutes beside what serves are spent`. */
const costInWords = (spent: Duration, budget: Duration): string =>
  `${minutes(spent)} of ${minutes(budget)} instance minutes beside what serves are spent`
