import type { Application, Region } from "../pipeline/application.ts"
import type { Draft } from "../pipeline/draft.ts"
import { noWayBack } from "../pipeline/migrations.ts"
import { halt, pastReturn, stand } from "./hold.ts"
import { lock } from "./lock.ts"
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
    const because = `${why.because}; there is no older release to go back to`
    return stopHere(draft, rollout, { ...why, because })
  }
  if (why.automatic && pastReturn(draft, rollout)) {
    const because = `${why.because}; what it changed cannot be taken back: fix forward`
    return halt(draft, rollout, because, why.evidence)
  }
  const spent = draft.limits.noAutomaticRollback
  if (why.automatic && rollout.hadTraffic && spent) return ask(draft, rollout, `${why.because}; ${spent}`)
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
    if (why.automatic && pastReturn(draft, there)) continue
    if (noWayBack(draft.state, there, draft.at)) continue
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

/** The automation has done enough for now: the weight stays, a person is asked at once. */
function ask(draft: Draft, rollout: Rollout, because: string): void {
  const then = "a person rolls it back, or it happens by itself when the budget allows it again"
  stand(draft, rollout, {
    why: "proposal",
    because,
    until: undefined,
    then,
    proposal: "rollback",
    weight: "frozen",
  })
}

/** Nothing to go back to: everything stays as it is, and locked, until a person accepts it so that a fix can follow. */
function stopHere(draft: Draft, rollout: Rollout, why: Retreat): void {
  if (rollout.phase.name === "holding" && rollout.phase.hold.why === "halted") return
  const then = "a person accepts it as it is (approve), and a fix can follow"
  stand(draft, rollout, {
    why: "halted",
    because: why.because,
    until: undefined,
    then,
    proposal: "advance",
    weight: "frozen",
  })
  lock(draft, rollout, "halt", why)
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
