import { frozenUntil } from "../model/freeze.ts"
import type { RolloutNumber } from "../model/ids.ts"
import type { Hours } from "../model/policy.ts"
import type { Instant } from "../model/time.ts"
import { regionPolicy } from "../rollout/rollout.ts"
import type { Application, Region } from "./application.ts"
import type { Draft, LocalTime } from "./draft.ts"
import { isLeft } from "./servers.ts"

/** Whether a rollout is on its way, up or back; one that only waits for its turn or for a person is not. */
const moves = (app: Application): boolean =>
  app.regions.some(({ active }) => active !== undefined && app.rollouts[active]?.phase.name !== "queued")

/** How many instances of a pool serve or could, and how many it should have. */
export function strengthOf(
  app: Application,
  region: Region,
  pool: RolloutNumber,
): { readonly ready: number; readonly size: number } {
  const rollout = app.rollouts[pool]
  const ready = Object.values(region.instances).filter(
    (one) =>
      one.pool === pool &&
      one.state === "ready" &&
      !one.retired &&
      !one.condemned &&
      !isLeft(app, one.server),
  ).length
  return { ready, size: rollout ? regionPolicy(rollout).size : 0 }
}

/**
 * Why nothing is rehearsed now, in a sentence; undefined: nothing rolls, nothing is locked, paused, frozen or
 * limited, and every region is at full strength and carries its users.
 */
export function unrest(draft: Draft): string | undefined {
  const { state, limits, at } = draft
  const limit = limits.killed ?? limits.nothingNew
  if (limit) return limit
  if (state.paused) return "it is paused"
  if (state.locks.length > 0) return "it is locked"
  if (moves(state)) return "a rollout is under way"
  const frozen = state.regions
    .flatMap(({ stable }) => (stable === undefined ? [] : (state.rollouts[stable]?.policy.freeze ?? [])))
    .find((window) => frozenUntil(window, at) !== undefined)
  if (frozen) return `frozen: ${frozen.name}`
  if (Object.keys(state.left ?? {}).length > 0) return "a server is lost or drained"
  const weak = state.regions.find((region) => !isWell(state, region))
  return weak && `${weak.name} is not at full strength`
}

function isWell(app: Application, region: Region): boolean {
  if (region.stable === undefined) return Object.keys(region.instances).length === 0
  const { ready, size } = strengthOf(app, region, region.stable)
  const calm = Object.values(region.instances).every(
    ({ state, retired, condemned }) => state === "ready" && !retired && !condemned,
  )
  return calm && ready >= size && (region.weights[region.stable] ?? 0) > 99.99
}

/** Whether this moment lies in the hours; a zone that nobody can read is never within. */
export function isWithin(
  hours: Hours | undefined,
  at: Instant,
  local: ((at: Instant, zone: string) => LocalTime) | undefined,
): boolean {
  if (!hours) return true
  const now = hours.zone === "UTC" ? inUtc(at) : local?.(at, hours.zone)
  if (!now || !hours.days.includes(now.day)) return false
  return hours.from <= now.minute && now.minute < hours.until
}

const day = 86_400_000
const thursday = 4

function inUtc(at: Instant): LocalTime {
  const days = Math.floor(at / day)
  return { day: (((days + thursday) % 7) + 7) % 7, minute: Math.floor((at - days * day) / 60_000) }
}
