import {
  allRoutes,
  type Book,
  bury,
  checkFence,
  emptyBook,
  fence,
  isReleased,
  rememberPorts,
  replaceTable,
} from "./book.ts"
import type { DataPlane } from "./data-plane.ts"
import type { Listeners } from "./listeners.ts"
import type { Log } from "./log.ts"
import { Refusal } from "./refusal.ts"
import type { StateFile } from "./state-file.ts"
import { type Fence, type TableOrder, weightOf } from "./table.ts"

export type Release =
  | { readonly released: true }
  | { readonly released: false; readonly weight: number; readonly inFlight: number }

/** Carries orders out, one after the other: nothing is acknowledged before it is true and on disk. */
export class Governor {
  readonly #file: StateFile
  readonly #plane: DataPlane
  readonly #listeners: Listeners
  readonly #log: Log
  #book: Book = emptyBook
  #saved: Book = emptyBook
  #degraded: string | undefined
  #unsaved: string | undefined
  #unheard: string | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(file: StateFile, plane: DataPlane, listeners: Listeners, log: Log) {
    this.#file = file
    this.#plane = plane
    this.#listeners = listeners
    this.#log = log
  }

  get book(): Book {
    return this.#book
  }

  /** What is not as it should be, in plain words. */
  get degraded(): string | undefined {
    const all = [this.#degraded, this.#unsaved, this.#unheard].filter((one) => one !== undefined)
    return all.length > 0 ? all.join("; ") : undefined
  }

  /** Serves the last state, with everything else dead. */
  async boot(): Promise<void> {
    const { book, degraded } = await this.#file.load()
    this.#degraded = degraded
    this.#book = book
    this.#saved = book
    if (degraded) this.#log("error", "started without the last state", { degraded })
    this.#plane.apply(allRoutes(book))
    await this.listen()
  }

  /** Opens every listener that can be opened; called again while some cannot. */
  async listen(): Promise<void> {
    await this.#inTurn(async () => {
      const wanted = this.#wanted(this.#book)
      const problems: string[] = []
      const possible = []
      for (const one of wanted) {
        // Each for itself: at boot one busy address must not keep the others shut.
        try {
          const prepared = await this.#listeners.prepare([...possible, one])
          prepared.abandon()
          possible.push(one)
        } catch (error) {
          problems.push(error instanceof Error ? error.message : String(error))
        }
      }
      const prepared = await this.#listeners.prepare(possible)
      prepared.commit()
      this.#book = rememberPorts(this.#book, prepared.addresses)
      const unheard = problems.length > 0 ? problems.join("; ") : undefined
      if (unheard !== undefined && unheard !== this.#unheard)
        this.#log("error", "cannot listen", { because: unheard })
      this.#unheard = unheard
    })
  }

  /** Whether some listener of the table could not be opened yet. */
  get isDeaf(): boolean {
    return this.#unheard !== undefined
  }

  fence(app: string, epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#book = fence(this.#book, app, epoch)
      await this.#save()
    })
  }

  setTable(order: TableOrder): Promise<void> {
    return this.#inTurn(async () => {
      const next = replaceTable(this.#book, order)
      const prepared = await this.#listeners.prepare(this.#wanted(next))
      // Traffic first, disk second: with a full disk users can still be moved, it is only not acknowledged.
      this.#book = rememberPorts(next, prepared.addresses)
      this.#plane.apply(allRoutes(this.#book))
      prepared.commit()
      this.#degraded = undefined
      this.#unheard = undefined
      await this.#save()
    })
  }

  release(order: Fence, instance: string, deadlineMs: number | undefined): Promise<Release> {
    return this.#inTurn(async () => {
      checkFence(this.#book, order)
      if (!isReleased(this.#book, instance)) {
        const weight = weightOf(instance, allRoutes(this.#book))
        const isOver = deadlineMs !== undefined && this.#plane.weightlessFor(instance) >= deadlineMs
        if (weight === 0 && isOver) this.#plane.cut(instance)
        const inFlight = this.#plane.inFlight(instance)
        if (weight > 0 || inFlight > 0) return { released: false, weight, inFlight }
        this.#book = bury(this.#book, order.app, instance)
        this.#plane.apply(allRoutes(this.#book))
      }
      await this.#save()
      return { released: true }
    })
  }

  #wanted(book: Book) {
    return allRoutes(book).map(({ route, listen }) => ({ route, listen, port: book.ports[route] }))
  }

  async #save(): Promise<void> {
    if (this.#saved === this.#book) return
    const book = this.#book
    try {
      await this.#file.save(book)
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error)
      this.#unsaved = `the state cannot be written: ${because}`
      this.#log("error", "applied but not kept", { because })
      throw new Refusal(507, "not-kept", `applied, but not kept: ${because}; free the disk and send it again`)
    }
    this.#saved = book
    this.#unsaved = undefined
  }

  #inTurn<T>(order: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(order, order)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}
