import { frozenUntil } from "../model/freeze.ts"
import type { RegionName } from "../model/ids.ts"
import type { FreezeWindow } from "../model/policy.ts"
import type { Instant } from "../model/time.ts"
import type { Rollout } from "../rollout/rollout.ts"
import type { Application } from "./application.ts"

/** What keeps anything new from starting or advancing. Going back is always allowed. */
export type Blocker = {
  readonly why: "locked" | "paused" | "frozen"
  readonly because: string
  readonly until: Instant | undefined
}

/** The first thing that stands in the way of a step forward in this region. */
export function blocker(
  app: Application,
  region: RegionName,
  freeze: readonly FreezeWindow[],
  at: Instant,
): Blocker | undefined {
  const { override } = app
  const overridden = override !== undefined && at < override.until && (override.region ?? region) === region
  const lock = overridden
    ? undefined
    : app.locks.find((held) => held.scope.kind === "app" || held.scope.region === region)
  if (lock) return { why: "locked", because: `locked by ${lock.by}: ${lock.because}`, until: undefined }
  if (app.paused)
    return { why: "paused", because: `paused by ${app.paused.by}: ${app.paused.reason}`, until: undefined }
  for (const window of overridden ? [] : freeze) {
    const until = frozenUntil(window, at)
    if (until !== undefined)
      return { why: "frozen", because: `frozen: ${window.name} (${window.when}, ${window.zone})`, until }
  }
  return undefined
}

export const blockerOf = (app: Application, rollout: Rollout, at: Instant): Blocker | undefined =>
  blocker(app, rollout.region, rollout.policy.freeze, at)
