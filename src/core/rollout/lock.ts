import type { Draft } from "../pipeline/draft.ts"
import type { Rollout } from "./rollout.ts"

/** Locks once for one cause; what is locked already stays locked by whoever did it first. */
export function lock(
  draft: Draft,
  rollout: Rollout,
  on: "halt" | "rollback",
  why: { readonly because: string; readonly evidence?: string | undefined },
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
