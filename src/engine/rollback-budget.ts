import type { Duration, Instant } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Recorded } from "../core/pipeline/events.ts"

const most = 3
const within: Duration = 10 * 60_000

/**
 * Three automatic rollbacks in ten minutes over all applications. Past that it is more likely that the eyes are
 * bad than that every release is: people are asked. Counted on what the journals hold, so a restart forgets nothing.
 */
export class RollbackBudget {
  readonly #applications: () => readonly Pick<Application, "automaticRollbacks">[]
  /** Decided and not stored yet. */
  #pending = 0

  readonly #hear: () => Promise<void>

  /** `hear` reads what other control planes stored up to now. */
  constructor(
    applications: () => readonly Pick<Application, "automaticRollbacks">[],
    hear: () => Promise<void> = async () => undefined,
  ) {
    this.#applications = applications
    this.#hear = hear
  }

  /** Whether a decision takes from the budget. */
  takes(events: readonly Recorded[]): boolean {
    return events.some(({ event }) => event.type === "abort-started" && event.automatic)
  }

  /** What others took meanwhile counts as well; to be asked before the budget is drawn on. */
  hear(): Promise<void> {
    return this.#hear()
  }

  /** Why nothing is taken back by itself at this moment; undefined while something is left. */
  spent(now: Instant): string | undefined {
    const stored = this.#applications().map(({ automaticRollbacks }) => {
      // Regions that went back together are one rollback.
      const recent = automaticRollbacks.filter((at) => at > now - within)
      return new Set(recent).size
    })
    const used = stored.reduce((sum, count) => sum + count, this.#pending)
    if (used < most) return undefined
    return `${used} automatic rollbacks in ten minutes over all applications: the automation pauses and asks people`
  }

  /** Holds a place while a decision that takes one is stored. */
  async during<T>(events: readonly Recorded[], store: () => Promise<T>): Promise<T> {
    const takes = this.takes(events) ? 1 : 0
    this.#pending += takes
    try {
      return await store()
    } finally {
      this.#pending -= takes
    }
  }
}
