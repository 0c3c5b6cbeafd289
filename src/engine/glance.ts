import type { Instant } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"

/** What is asked of an application so often that its state is not opened for it. */
export type Glance = {
  /** Of the stream, when this was so. */
  readonly version: number
  /** Something moves, without a person being waited for. */
  readonly underWay: boolean
  /** When its newest commit was found; undefined: none was. */
  readonly foundAt: Instant | undefined
}

export const glanceAt = (version: number, state: Application): Glance => ({
  version,
  underWay: isUnderWay(state),
  foundAt: state.commits.at(-1)?.foundAt,
})

const isUnderWay = (state: Application): boolean =>
  !state.ahead &&
  (state.commits.some((commit) => commit.state.name === "building") ||
    state.drill !== undefined ||
    state.regions.some(
      (region) =>
        (region.active !== undefined && !waitsForAPerson(state, region.active)) ||
        Object.values(region.instances).some((instance) => instance.retired || instance.state === "starting"),
    ))

/** Days may pass at a gate; its deadline is a time to wake up at. */
function waitsForAPerson(state: Application, rollout: number): boolean {
  const { phase, approval } = state.rollouts[rollout] ?? {}
  return phase?.name === "queued" && phase.gate !== undefined && !approval
}
