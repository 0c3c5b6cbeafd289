import type { AppName } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Recorded } from "../core/pipeline/events.ts"

const most = 3
const within: Duration = 10 * 60_000

type Rolled = Pick<Application, "app" | "automaticRollbacks">

/**
 * Three automatic rollbacks in ten minutes over all applications. Past that it is more likely that the eyes are
 * bad than that every release is: people are asked. Counted on what the journals hold, so a restart forgets nothing.
 */
export class RollbackBudget {
  /** Those that ever rolled back by themselves, and when. */
  readonly #known = new Map<AppName, readonly Instant[]>()
  /** Decided, and perhaps not stored yet. */
  readonly #pending = new Set<{ readonly app: AppName; readonly at: Instant }>()
  readonly #hear: () => Promise<void>

  /** `hear` reads what other control planes stored up to now. */
  constructor(hear: () => Promise<void> = async () => undefined) {
    this.#hear = hear
  }

  /** What an application's journal says by now. */
  heard({ app, automaticRollbacks }: Rolled): void {
    if (automaticRollbacks.length > 0) this.#known.set(app, automaticRollbacks)
  }

  /** Whether a decision takes from the budget. */
  takes(events: readonly Recorded[]): boolean {
    return events.some(takesOne)
  }

  /** What others took meanwhile counts as well; to be asked before the budget is drawn on. */
  hear(): Promise<void> {
    return this.#hear()
  }

  /** Why nothing is taken back by itself at this moment; undefined while something is left. */
  spent(now: Instant): string | undefined {
    if (this.#known.size === 0 && this.#pending.size === 0) return undefined
    const known = [...this.#known].flatMap(([app, rollbacks]) => rollbacks.map((at) => ({ app, at })))
    // Regions that went back together are one rollback, and so is one that is being stored and read back already.
    const recent = [...known, ...this.#pending].filter(({ at }) => at > now - within)
    const used = new Set(recent.map(({ app, at }) => `${app} ${at}`)).size
    if (used < most) return undefined
    return `${used} automatic rollbacks in ten minutes over all applications: the automation pauses and asks people`
  }

  /** Holds a place while a decision that takes one is stored. */
  async during<T>(app: AppName, events: readonly Recorded[], store: () => Promise<T>): Promise<T> {
    const taken = events.find(takesOne)
    const place = taken && { app, at: taken.at }
    if (place) this.#pending.add(place)
    try {
      return await store()
    } finally {
      if (place) this.#pending.delete(place)
    }
  }
}

const takesOne = ({ event }: Recorded): boolean => event.type === "abort-started" && event.automatic === true
