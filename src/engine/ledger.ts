import type { RoomSeen } from "../core/model/capacity.ts"
import type { AppName } from "../core/model/ids.ts"
import type { Application } from "../core/pipeline/application.ts"
import { decide } from "../core/pipeline/decide.ts"
import { type Refusal, refuse } from "../core/pipeline/draft.ts"
import { evolve } from "../core/pipeline/evolve.ts"
import type { Command, Fact, Input } from "../core/pipeline/input.ts"
import { nothing } from "../core/pipeline/nothing.ts"
import type { StoredEvent } from "../ports/journal.ts"
import type { Snapshot } from "../ports/snapshots.ts"
import { localTime } from "./local-time.ts"
import { noticesFor } from "./notices.ts"
import { type Parts, sentence } from "./parts.ts"
import { keptOf, otherThan } from "./repeated.ts"
import type { RollbackBudget } from "./rollback-budget.ts"
import type { Place, Shelf } from "./shelf.ts"
import { JournalWentBack } from "./went-back.ts"

export type Result =
  | { readonly kind: "done"; readonly events: readonly StoredEvent[]; readonly version: number }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The lease is held by another control plane. */
  | { readonly kind: "not-leader" }

export const killSwitchSet = "the kill switch is set: nothing is changed"

const notUnderstood = ({ stream, version, event }: StoredEvent, error: unknown): string =>
  `event ${version} of ${stream} (${String(event.type).slice(0, 60)}) cannot be understood by this version: ` +
  `${sentence(error)}. ${stream} is set aside: what runs keeps running and nothing of it is changed, all others go on. ` +
  "Start the version that wrote the event; or keep a copy (immunity backup) and restore the last good one into an empty store"

type Told = {
  readonly heard: (events: readonly StoredEvent[]) => void
  /** The store says that another control plane may hold it by now. */
  readonly fenced: () => void
  /** What the servers said last of their room. */
  readonly room?: () => RoomSeen
}

/** One application's state and the only way to change it: decide, store, then believe. */
export class Ledger {
  readonly app: AppName
  version = 0
  /** Of the last event. */
  hash = ""
  epoch = 0
  /** Why nothing is decided here: an event that is stored cannot be understood. A sentence that says what to do. */
  setAside: string | undefined
  readonly #parts: Pick<Parts, "journal" | "room" | "killed" | "wentBack">
  readonly #budget: RollbackBudget
  readonly #tell: Told
  readonly #state: Place<Application>
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    app: AppName,
    parts: Pick<Parts, "journal" | "room" | "killed" | "wentBack">,
    budget: RollbackBudget,
    tell: Told,
    shelf: Shelf,
  ) {
    this.app = app
    this.#state = shelf.place(nothing(app))
    this.#parts = parts
    this.#budget = budget
    this.#tell = tell
  }

  get state(): Application {
    return this.#state.get()
  }

  /** Opens it for one piece of work, until `giveBack`. */
  borrow(): void {
    this.#state.borrow()
  }

  giveBack(): void {
    this.#state.giveBack()
  }

  /** For whoever looks once: nothing else has to be packed for it. */
  peek(): Application {
    return this.#state.peek()
  }

  /** Begins in the middle of its stream. */
  restore({ state, packed, version, hash }: Snapshot): void {
    if (this.version > 0) return
    if (packed) this.#state.setPacked(packed)
    else this.#state.set(state)
    this.version = version
    this.hash = hash
    this.#budget.heard(state)
  }

  /** Folds what was stored since the last time; the last event that is known is read again, to see that it is the same. */
  async catchUp(): Promise<void> {
    this.take(await this.#parts.journal.read(this.app, Math.max(0, this.version - 1)))
  }

  /** Believes what was stored, by whomever; what it knows already adds nothing. */
  take(stored: readonly StoredEvent[]): void {
    const other = stored.find(({ version, hash }) => version === this.version && hash !== this.hash)
    if (other)
      throw this.#wentBack(`event ${other.version} of ${this.app} is another one than the one that was read`)
    const news = stored.filter(({ version }) => version > this.version)
    for (const event of news) {
      if (event.version !== this.version + 1)
        throw new Error(
          this.setAside ?? `${this.app}: event ${this.version + 1} is missing before ${event.version}`,
        )
      try {
        this.#state.set(evolve(this.state, event))
      } catch (error) {
        this.setAside = notUnderstood(event, error)
        throw new Error(this.setAside, { cause: error })
      }
      this.version = event.version
      this.hash = event.hash
      this.setAside = undefined
    }
    if (news.length === 0) return
    this.#budget.heard(this.state)
    this.#tell.heard(news)
  }

  /** Decides on an input and stores what follows, one input at a time. */
  apply(input: Input, commandId?: string): Promise<Result> {
    const next = this.#turn.then(() => this.#apply(input, commandId))
    this.#turn = next.catch(() => undefined)
    return next
  }

  async #apply(input: Input, commandId: string | undefined): Promise<Result> {
    const { at: _at, by: _by, ...order } = input
    let inVain = 0
    for (let heard = false; ; ) {
      if (this.setAside !== undefined) return { kind: "refused", refusal: refuse("set-aside", this.setAside) }
      const decided = decide(this.state, input, {
        nothingNew: this.#parts.room(),
        killed: this.#parts.killed() ? killSwitchSet : undefined,
        noAutomaticRollback: this.#budget.spent(input.at),
        local: localTime,
        room: this.#tell.room?.(),
      })
      if ("refused" in decided) {
        // Repeated because its answer was lost: what it asked for is so, which is why it cannot be so again.
        const kept = commandId ? await this.#parts.journal.commandResult(commandId) : undefined
        if (kept !== undefined) return this.#again(kept, order)
        return { kind: "refused", refusal: decided.refused }
      }
      if (decided.events.length === 0) return { kind: "done", events: [], version: this.version }
      if (!heard && this.#budget.takes(decided.events)) {
        await this.#budget.hear()
        heard = true
        continue
      }
      const expected = this.version
      const outcome = await this.#budget.during(this.app, decided.events, () =>
        this.#parts.journal.append({
          stream: this.app,
          expected,
          epoch: this.epoch,
          events: decided.events,
          command: commandId === undefined ? undefined : { id: commandId, result: keptOf(order, expected) },
          outbox: noticesFor(this.state, decided.events),
        }),
      )
      switch (outcome.kind) {
        case "appended":
          this.take(outcome.stored)
          return { kind: "done", events: outcome.stored, version: this.version }
        case "conflict":
          await this.catchUp()
          // The same command for another application, in the same moment, is a conflict too: its second try is a duplicate.
          if (this.version > expected || inVain++ === 0) continue
          throw this.#wentBack(`event ${expected} of ${this.app} was read, and is not the last one any more`)
        case "duplicate":
          return this.#again(outcome.result, order)
        case "fenced":
          this.#tell.fenced()
          return { kind: "not-leader" }
      }
    }
  }

  /** An order whose id is in the store already. */
  #again(kept: unknown, order: Command | Fact): Result {
    const refusal = otherThan(kept, order)
    return refusal ? { kind: "refused", refusal } : { kind: "done", events: [], version: this.version }
  }

  #wentBack(what: string): JournalWentBack {
    const error = new JournalWentBack(what)
    this.#parts.wentBack?.(error)
    return error
  }
}
