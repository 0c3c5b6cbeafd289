import type { Clock } from "../ports/clock.ts"
import type { Append, AppendOutcome } from "../ports/journal.ts"
import { appendTogether, type Decided } from "./append-together.ts"
import type { Dialect } from "./dialect.ts"

/** Called around each commit of an append, so that a test can end the process exactly there. */
export type OnPersisted = (point: "before-append" | "after-append", version: number) => void

/** Events of one transaction, unless a single append has more. */
const eventsTogether = 500

type Waiting = {
  readonly append: Append
  readonly tell: (outcome: AppendOutcome) => void
  readonly fail: (error: unknown) => void
}

/**
 * The one way into the journal. All appends to a database wait for each other, and a transaction has to be answered
 * several times by it before the next one may begin. So whoever has to wait shares: a transaction takes all that are
 * waiting when its turn has come. None waits for company, and what one writes is one durable transaction still.
 */
export class Appends {
  readonly #dialect: Dialect
  readonly #clock: Clock
  readonly #onPersisted: OnPersisted
  readonly #inRoom: <T>(write: () => Promise<T>) => Promise<T>
  #waiting: readonly Waiting[] = []
  /** A transaction waits for its turn and will take them. */
  #isComing = false

  /** `inRoom` makes room on a full disk for one more try, if it can. */
  constructor(
    dialect: Dialect,
    clock: Clock,
    onPersisted: OnPersisted,
    inRoom: <T>(write: () => Promise<T>) => Promise<T>,
  ) {
    this.#dialect = dialect
    this.#clock = clock
    this.#onPersisted = onPersisted
    this.#inRoom = inRoom
  }

  append(append: Append): Promise<AppendOutcome> {
    return new Promise((tell, fail) => {
      this.#waiting = [...this.#waiting, { append, tell, fail }]
      this.#begin()
    })
  }

  #begin(): void {
    if (this.#isComing || this.#waiting.length === 0) return
    this.#isComing = true
    let group: readonly Waiting[] | undefined
    void this.#write(() => {
      if (group) return group
      group = this.#take()
      this.#isComing = false
      // Those that did not fit wait for the next one, which may as well come now.
      this.#begin()
      return group
    })
  }

  /** Those who share a transaction, first come, first served: a stream, and a command, is in it once. */
  #take(): readonly Waiting[] {
    const taken = new Set<string>()
    const group: Waiting[] = []
    const later: Waiting[] = []
    let events = 0
    for (const waiting of this.#waiting) {
      const { stream, command, events: more } = waiting.append
      const names = [`stream ${stream}`, ...(command ? [`command ${command.id}`] : [])]
      const fits = group.length === 0 || events + more.length <= eventsTogether
      if (fits && !names.some((name) => taken.has(name))) {
        group.push(waiting)
        events += more.length
      } else later.push(waiting)
      for (const name of names) taken.add(name)
    }
    this.#waiting = later
    return group
  }

  async #write(take: () => readonly Waiting[]): Promise<void> {
    let undone = false
    try {
      const outcomes = await this.#inRoom(() =>
        this.#transaction(take, () => {
          undone = true
        }),
      )
      for (const [i, { tell }] of take().entries()) {
        const outcome = outcomes[i]
        if (outcome) tell(outcome)
      }
    } catch (error) {
      const group = take()
      if (undone && group.length > 1) {
        // One of them is the reason, and none of the others may suffer from it.
        await Promise.all(group.map((one) => this.#write(() => [one])))
        return
      }
      for (const { tell, fail } of group) {
        // Another writer took the place between our look and our write.
        if (this.#dialect.isTaken(error)) tell({ kind: "conflict" })
        else fail(error)
      }
    }
  }

  /** `undone` is called when it took its appends and certainly wrote nothing. */
  async #transaction(take: () => readonly Waiting[], undone: () => void): Promise<readonly AppendOutcome[]> {
    const dialect = this.#dialect
    const trx = await dialect.db.startTransaction().execute()
    let taken = false
    let decided: readonly Decided[]
    try {
      await dialect.lockForAppend(trx)
      const appends = take().map(({ append }) => append)
      taken = true
      decided = await appendTogether(trx, appends, this.#clock, dialect)
      this.#persist("before-append", decided)
      await trx.commit().execute()
    } catch (error) {
      await trx
        .rollback()
        .execute()
        .then(
          () => taken && undone(),
          // The connection may be the very thing that died.
          () => undefined,
        )
      throw error
    }
    this.#persist("after-append", decided)
    return decided.map(({ outcome }) => outcome)
  }

  #persist(point: "before-append" | "after-append", decided: readonly Decided[]): void {
    for (const { outcome, version } of decided)
      if (outcome.kind === "appended") this.#onPersisted(point, version)
  }
}
