import type { RolloutNumber } from "../core/model/ids.ts"
import type { Application } from "../core/pipeline/application.ts"
import { evolve } from "../core/pipeline/evolve.ts"
import { nothing } from "../core/pipeline/nothing.ts"
import type { StoredEvent } from "../ports/journal.ts"

/** An application as it was when it last knew of a rollout; undefined when there never was one of that number. */
export function stateThatKnew(
  app: string,
  events: readonly StoredEvent[],
  rollout: RolloutNumber,
): Application | undefined {
  let state = nothing(app)
  for (const event of events) {
    const next = evolve(state, event)
    if (state.rollouts[rollout] && !next.rollouts[rollout]) return state
    state = next
  }
  return state.rollouts[rollout] && state
}
