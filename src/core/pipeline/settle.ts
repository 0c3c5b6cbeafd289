import { progress, startProvisioning } from "../rollout/advance.ts"
import { regionPolicy } from "../rollout/rollout.ts"
import type { Region } from "./application.ts"
import { chooseCommit, queueRollouts } from "./climb.ts"
import type { Draft } from "./draft.ts"
import { rehearse } from "./drill.ts"
import { blockerOf } from "./guards.ts"
import { keepInstances } from "./instances.ts"
import { mayContract, tellOfContract } from "./migrations.ts"
import { planFailures } from "./planned-failures.ts"
import { finishRemoval } from "./remove.ts"
import { hasRoom } from "./room.ts"
import { endCostlyPools } from "./surge.ts"

/** More rounds than any real state needs; a loop here would be a mistake of ours and must be loud. */
const enoughRounds = 200

/** Applies every rule that is due until nothing follows any more. Level-triggered: order does not matter. */
export function settle(draft: Draft): void {
  for (let round = 0; round < enoughRounds; round++) {
    const before = draft.events.length
    if (draft.state.removed) {
      if (draft.state.removed.clearedAt === undefined) finishRemoval(draft)
      if (draft.events.length === before) return
      continue
    }
    chooseCommit(draft)
    queueRollouts(draft)
    for (const { name } of draft.state.regions) {
      gates(draft, name)
      const region = draft.region(name)
      if (region?.active !== undefined) {
        const rollout = draft.rollout(region.active)
        if (rollout) progress(draft, rollout, region)
      }
      const after = draft.region(name)
      if (after) endCostlyPools(draft, after)
      const kept = draft.region(name)
      if (kept) keepInstances(draft, kept)
    }
    if (draft.events.length === before) rehearse(draft)
    if (draft.events.length === before) planFailures(draft)
    if (draft.events.length === before) return
  }
  throw new Error(`${draft.state.app}: the rules did not settle after ${enoughRounds} rounds`)
}

/** A queued rollout starts when its gate is open and nothing stands in the way. */
function gates(draft: Draft, name: Region["name"]): void {
  const active = draft.region(name)?.active
  const rollout = active === undefined ? undefined : draft.rollout(active)
  if (rollout?.phase.name !== "queued") return
  const { gate } = rollout.phase
  const contract = tellOfContract(draft, rollout)
  if (gate && !rollout.approval) {
    if (draft.at >= gate.expiresAt) {
      draft.conclude(
        { type: "gate-expired", rollout: rollout.number },
        "nobody approved it in time; nothing is deployed",
      )
    }
    return
  }
  if (draft.limits.nothingNew || draft.limits.killed || blockerOf(draft.state, rollout, draft.at)) return
  if (draft.state.quarantine[rollout.release]) {
    draft.conclude(
      { type: "rollout-cancelled", rollout: rollout.number, because: "its release is quarantined" },
      "its release failed elsewhere",
    )
    return
  }
  if (!mayContract(draft, contract)) return
  const region = draft.region(name)
  if (!region || !hasRoom(draft, rollout, region)) return
  draft.conclude(
    { type: "rollout-started", rollout: rollout.number },
    rollout.approval
      ? `approved by ${rollout.approval.by}: ${rollout.approval.reason}`
      : `${regionPolicy(rollout).name} has no gate`,
  )
  startProvisioning(draft, rollout, 0)
}
