import type { Clock } from "../ports/clock.ts"
import type { Append, AppendOutcome } from "../ports/journal.ts"
import { appendTogether, type Decided } from "./append-together.ts"
import type { Dialect } from "./dialect.ts"
import { StoreFailed, StoreFull, StoreReadOnly, StoreUnreachable } from "./errors.ts"

/** Called around each commit of an append, so that a test can end the process exactly there. */
export type OnPersisted = (point: "before-append" | "after-append", version: number) => void

/** Appends of one transaction: more of them save nothing, and all wait for the last. */
const appendsTogether = 200
/** Events of one transaction, unless a single append has more. */
const eventsTogether = 500

type Waiting = {
  readonly append: Append
  readonly tell: (outcome: AppendOutcome) => void
  readonly fail: (error: unknown) => void
}

/** Those who share a transaction. */
class Group {
  readonly #take: () => readonly Waiting[]
  #members: readonly Waiting[] | undefined
  /** `deciding`: certainly nothing is stored. `committing`: all or nothing is, and only the database knows. */
  state: "waiting" | "deciding" | "committing" = "waiting"

  constructor(take: () => readonly Waiting[]) {
    this.#take = take
  }

  /** Closes it: whoever comes later is in the next one, which may come from now on. */
  members(): readonly Waiting[] {
    this.#members ??= this.#take()
    return this.#members
  }
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
  #waiting: Waiting[] = []
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
      this.#waiting.push({ append, tell, fail })
      this.#begin()
    })
  }

  #begin(): void {
    if (this.#isComing || this.#waiting.length === 0) return
    this.#isComing = true
    const take = () => {
      const members = this.#take()
      this.#isComing = false
      // Those that did not fit wait for the next one, which may as well come now.
      this.#begin()
      return members
    }
    void this.#write(new Group(take))
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
      const fits =
        group.length === 0 || (group.length < appendsTogether && events + more.length <= eventsTogether)
      if (fits && !names.some((name) => taken.has(name))) {
        group.push(waiting)
        events += more.length
      } else later.push(waiting)
      for (const name of names) taken.add(name)
    }
    this.#waiting = later
    return group
  }

  async #write(group: Group): Promise<void> {
    try {
      const outcomes = await this.#inRoom(() => this.#transaction(group))
      for (const [i, { tell }] of group.members().entries()) {
        const outcome = outcomes[i]
        if (outcome) tell(outcome)
      }
    } catch (error) {
      const members = group.members()
      if (group.state === "deciding" && members.length > 1 && !failsAll(error)) {
        // One of them is the reason, and none of the others may suffer from it. One half after the other, as they wait
        // for each other anyway: a connection each would leave none for the leases.
        const middle = members.length >> 1
        for (const half of [members.slice(0, middle), members.slice(middle)])
          await this.#write(new Group(() => half))
        return
      }
      for (const { tell, fail } of members) {
        // Another writer took the place between our look and our write.
        if (this.#dialect.isTaken(error)) tell({ kind: "conflict" })
        else fail(error)
      }
    }
  }

  async #transaction(group: Group): Promise<readonly AppendOutcome[]> {
    const dialect = this.#dialect
    const trx = await dialect.db.startTransaction().execute()
    let decided: readonly Decided[]
    try {
      await dialect.lockForAppend(trx)
      const appends = group.members().map(({ append }) => append)
      group.state = "deciding"
      decided = await appendTogether(trx, appends, this.#clock, dialect)
      this.#persist("before-append", decided)
      group.state = "committing"
      await trx.commit().execute()
    } catch (error) {
      // Nobody waits for the end of this one: its connection may be the very thing that died.
      group.members()
      await trx
        .rollback()
        .execute()
        .catch(() => {})
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

/** Whether it has nothing to do with what is appended. */
const failsAll = (error: unknown): boolean =>
  [StoreFailed, StoreFull, StoreReadOnly, StoreUnreachable].some((kind) => error instanceof kind)
