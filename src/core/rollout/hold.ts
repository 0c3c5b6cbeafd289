import type { Draft } from "../pipeline/draft.ts"
import { blockerOf } from "../pipeline/guards.ts"
import { lock } from "./lock.ts"
import type { Hold, Rollout } from "./rollout.ts"

/** Users met it and its commit touches what cannot be undone: only a person takes it back. */
export const pastReturn = (draft: Draft, rollout: Rollout): boolean =>
  rollout.hadTraffic && draft.state.releases[rollout.release]?.irreversible === true

/** Stops here: the new pool's traffic returns, its instances stay for whoever looks. */
export function halt(draft: Draft, rollout: Rollout, because: string, evidence: string | undefined): void {
  if (rollout.phase.name === "holding" && rollout.phase.hold.why === "halted") return
  const irreversible = pastReturn(draft, rollout)
  const canReturn = rollout.from !== undefined && !irreversible
  draft.add(
    {
      type: "held",
      rollout: rollout.number,
      hold: {
        why: "halted",
        because,
        until: undefined,
        then: irreversible
          ? "a person accepts it as it is (approve), and a fix can follow; or takes it back all the same"
          : "a person rolls it back, or unlocks and resumes it",
        proposal: canReturn ? undefined : "advance",
        weight: canReturn ? "zero" : "frozen",
      },
    },
    because,
  )
  lock(draft, rollout, "halt", { because, evidence })
}

/** Holds, unless it stands already for the same reason or for a stronger one. */
export function stand(draft: Draft, rollout: Rollout, hold: Hold): void {
  if (rollout.phase.name === "holding") {
    const held = rollout.phase.hold
    if (held.why === "halted" || (held.why === hold.why && held.proposal === hold.proposal)) return
    if (held.why === "blind" && held.weight === "zero") return
    draft.conclude(
      { type: "hold-ended", rollout: rollout.number, because: "another reason now" },
      "another reason now",
    )
  }
  draft.conclude({ type: "held", rollout: rollout.number, hold }, hold.because)
}

/** What only the world held is let go when the world is well; what waits for a person keeps waiting. */
export function endPassingHold(draft: Draft, rollout: Rollout): void {
  if (rollout.phase.name !== "holding") return
  const { why, weight } = rollout.phase.hold
  if (why === "halted" || why === "proposal" || why === "unsure" || why === "no-room") return
  if (weight === "zero") return
  if ((why === "locked" || why === "paused" || why === "frozen") && blockerOf(draft.state, rollout, draft.at))
    return
  draft.conclude(
    { type: "hold-ended", rollout: rollout.number, because: "it can be judged again" },
    `no longer ${why}`,
  )
}
