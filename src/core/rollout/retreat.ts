import type { Application, Region } from "../pipeline/application.ts"
import type { Draft } from "../pipeline/draft.ts"
import { type Rollout, regionPolicy } from "./rollout.ts"

export type Retreat = {
  readonly because: string
  readonly automatic: boolean
  /** What it counts as when users met it; before that nothing is locked. */
  readonly judged: boolean
  readonly evidence?: string | undefined
}

/**
 * Takes a release back: traffic first, then the lock and the quarantine, in one decision. A release that
 * no user met is only stopped. Never a rollback of a rollback: a retreat under way stays as it is.
 */
export function retreat(draft: Draft, rollout: Rollout, why: Retreat): void {
  const { phase } = rollout
  if (phase.name === "aborting" || phase.name === "rolling-back") return
  const to = placeToGo(draft.state, rollout)
  const met = rollout.hadTraffic || why.judged
  if (rollout.hadTraffic && to === undefined) {
    stopWithoutTarget(draft, rollout, why)
    return
  }
  draft.add(
    {
      type: "abort-started",
      rollout: rollout.number,
      because: why.because,
      to,
      then: met ? "rolled-back" : "failed",
      automatic: why.automatic && met,
    },
    why.because,
  )
  draft.conclude(
    { type: "quarantined", release: rollout.release, rollout: rollout.number, because: why.because },
    "a release that failed is not deployed again by itself",
  )
  if (!met) return
  lock(draft, rollout, "rollback", why)
  if (rollout.policy.rollback.scope === "production") others(draft, rollout, why)
}

/** Every other production region on that release goes back with it. */
function others(draft: Draft, rollout: Rollout, why: Retreat): void {
  if (!regionPolicy(rollout).production) return
  for (const region of draft.state.regions) {
    if (region.name === rollout.region || region.stable === undefined) continue
    const there = draft.rollout(region.stable)
    if (!there || there.release !== rollout.release || !regionPolicy(there).production) continue
    const to = placeToGo(draft.state, there)
    if (to === undefined || region.active !== undefined) continue
    const because = `${rollout.region}: ${why.because}`
    draft.add(
      {
        type: "abort-started",
        rollout: there.number,
        because,
        to,
        then: "rolled-back",
        automatic: why.automatic,
      },
      because,
    )
  }
}

function stopWithoutTarget(draft: Draft, rollout: Rollout, why: Retreat): void {
  if (rollout.phase.name !== "holding" || rollout.phase.hold.why !== "halted") {
    draft.add(
      {
        type: "held",
        rollout: rollout.number,
        hold: {
          why: "halted",
          because: `${why.because}; there is no older release to go back to`,
          until: undefined,
          then: "it waits for a person: fix forward or end it",
          proposal: undefined,
          weight: "frozen",
        },
      },
      why.because,
    )
  }
  lock(draft, rollout, "halt", why)
}

/** Locks once for one cause; what is locked already stays locked by whoever did it first. */
export function lock(
  draft: Draft,
  rollout: Rollout,
  on: "halt" | "rollback",
  why: Pick<Retreat, "because" | "evidence">,
): void {
  const policy = rollout.policy.lock
  if (!policy.on.includes(on)) return
  if (draft.state.locks.some((held) => held.rollout === rollout.number)) return
  draft.add(
    {
      type: "locked",
      lock: {
        id: draft.state.nextLock,
        scope: policy.scope === "app" ? { kind: "app" } : { kind: "region", region: rollout.region },
        because: `${rollout.release.slice(0, 7)} at ${rollout.region}: ${why.because}`,
        rollout: rollout.number,
        evidence: why.evidence,
      },
    },
    "nothing new starts until a person has looked",
  )
}

/** The pool to go back to: the one before, if it still has instances that are wanted. */
export function placeToGo(app: Application, rollout: Rollout): number | undefined {
  const region = app.regions.find((known) => known.name === rollout.region)
  const from = rollout.from
  if (!region || from === undefined) return undefined
  const release = app.rollouts[from]?.release
  if (release === undefined || app.quarantine[release]) return undefined
  return isPresent(region, from) ? from : undefined
}

const isPresent = (region: Region, pool: number): boolean =>
  region.stable === pool ||
  region.kept.includes(pool) ||
  Object.values(region.instances).some((instance) => instance.pool === pool && !instance.retired)
