import { fractionOf } from "../core/model/chance.ts"
import type { Digest, ServerName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import { pinnedArtifacts } from "../core/pipeline/pinned.ts"
import type { Agent } from "../ports/agent.ts"
import type { Fence } from "../ports/router.ts"
import { backOff } from "./back-off.ts"
import { type Parts, sentence } from "./parts.ts"

const every: Duration = 3_600_000
const firstAgain: Duration = 60_000
/** Files of many releases may have to go. */
const patience: Duration = 120_000

type Told = {
  /** The list after which nothing was left to be removed, as one text. */
  readonly done: string | undefined
  /** Not before. */
  readonly again: Duration
  readonly failures: number
}

/**
 * Tells servers what of an application they keep, so that the rest can go: when that has changed, at most hourly, and
 * again after a while where it failed. A start changes nothing of it: what was the case then is told within the hour,
 * not by all applications at once, in case that it was not told before. Nobody waits for it.
 */
export class Pruning {
  readonly #parts: Pick<Parts, "clock" | "log">
  readonly #startedAt: Duration
  /** None until there is something to remember: of most applications there is not, for an hour or for ever. */
  #told: Map<ServerName, Told> | undefined
  #underWay: Set<ServerName> | undefined
  /** The list as it was when the term began. */
  #first: string | undefined

  constructor(parts: Pick<Parts, "clock" | "log">) {
    this.#parts = parts
    this.#startedAt = parts.clock.mono()
  }

  /** Before the first turn, also while something is under way: what that changes of the list is a change. */
  from(state: Application): void {
    this.#first ??= listOf(state).toString()
  }

  /** Does nothing while it is under way there, or is not due. */
  begin(state: Application, agent: Agent, fence: () => Fence, signal: AbortSignal): void {
    const { server } = agent
    if (!agent.keepArtifacts || this.#underWay?.has(server)) return
    const known = this.#told?.get(server)
    const now = this.#parts.clock.mono()
    if (known && now < known.again) return
    const keep = listOf(state)
    const list = keep.toString()
    // A job of one that was removed may have ended after it was told, and left an artifact.
    if (keep.length === 0 || (known?.done === list && keep !== "nothing")) return
    if (!known && list === this.#first && now < this.#startedAt + every * fractionOf(state.app)) return
    this.#underWay ??= new Set()
    this.#underWay.add(server)
    void this.#tell(state.app, agent, keep, fence, signal).finally(() => this.#underWay?.delete(server))
  }

  async #tell(
    app: string,
    agent: Agent,
    keep: readonly Digest[] | "nothing",
    fence: () => Fence,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log } = this.#parts
    const { server } = agent
    this.#told ??= new Map()
    const told = this.#told
    const failed = (because: string): void => {
      if (signal.aborted) return
      const failures = (told.get(server)?.failures ?? 0) + 1
      const pause = backOff(`prune ${app} ${server}`, failures, { first: firstAgain, longest: every })
      told.set(server, { done: undefined, again: clock.mono() + pause, failures })
      log.warn({ app, server }, `old artifacts were not removed: ${because}`)
    }
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)])
      const pruned = await agent.keepArtifacts?.(fence(), keep, limit)
      if (pruned === undefined) return
      if (pruned.kind === "refused") return failed(pruned.because)
      const { removed, bytes, left } = pruned
      const done = left === 0 ? keep.toString() : undefined
      told.set(server, { done, again: clock.mono() + every, failures: 0 })
      if (removed > 0)
        log.info({ app, server, removed, bytes, left }, "artifacts of old releases were removed")
    } catch (error) {
      failed(sentence(error))
    }
  }
}

const listOf = (state: Application): readonly Digest[] | "nothing" =>
  state.removed?.clearedAt === undefined ? pinnedArtifacts(state) : "nothing"
