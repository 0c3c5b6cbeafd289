import { setTimeout as sleep } from "node:timers/promises"
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
import type { Crew } from "./crew.ts"
import type { HealthWatch } from "./health-watch.ts"
import type { WantedListener } from "./listeners.ts"
import type { Log } from "./log.ts"
import { Refusal } from "./refusal.ts"
import type { StateFile } from "./state-file.ts"
import { allToStable, type Fence, type RouteTable, type TableOrder, weightOf } from "./table.ts"

export type Release =
  | { readonly released: true }
  | { readonly released: false; readonly weight: number; readonly inFlight: number }

/** Carries orders out, one after the other: nothing is acknowledged before it is true and on disk. */
export class Governor {
  readonly #file: StateFile
  readonly #crew: Crew
  readonly #health: HealthWatch
  readonly #log: Log
  #book: Book = emptyBook
  #saved: Book = emptyBook
  #degraded: string | undefined
  #unsaved: string | undefined
  #unheard: string | undefined
  #last: Promise<unknown> = Promise.resolve()
  readonly #deadMan: number | undefined
  #heardAt = performance.now()
  #isSilent = false

  constructor(file: StateFile, crew: Crew, health: HealthWatch, log: Log, deadMan?: number) {
    this.#deadMan = deadMan
    this.#file = file
    this.#crew = crew
    this.#health = health
    this.#log = log
  }

  get book(): Book {
    return this.#book
  }

  /** What is not as it should be, in plain words. */
  get degraded(): string | undefined {
    const silent = this.#isSilent ? "nobody gives orders; all weight is with the stable pools" : undefined
    const all = [this.#degraded, this.#unsaved, this.#unheard, silent].filter((one) => one !== undefined)
    return all.length > 0 ? all.join("; ") : undefined
  }

  /** Serves the last state, with everything else dead. */
  async boot(): Promise<void> {
    const { book, degraded } = await this.#file.load()
    this.#degraded = degraded
    this.#book = book
    this.#saved = book
    if (degraded) this.#log("error", "started without the last state", { degraded })
    await this.#health.follow(allRoutes(book), true)
    await this.#crew.apply(allRoutes(book))
    await this.listen()
  }

  /** Opens every listener that can be opened; called again while some cannot. */
  async listen(): Promise<void> {
    await this.#inTurn(async () => {
      const wanted = this.#wanted(this.#book)
      const { prepared, problems } = await this.#prepareWhatIsPossible(wanted)
      await prepared.commit(allRoutes(this.#book))
      this.#book = rememberPorts(this.#book, prepared.addresses)
      const unheard = problems.length > 0 ? problems.join("; ") : undefined
      if (unheard !== undefined && unheard !== this.#unheard)
        this.#log("error", "cannot listen", { because: unheard })
      this.#unheard = unheard
    })
  }

  /** Looked at every second: what could not be opened is tried again, and long silence takes weight back. */
  async look(): Promise<void> {
    if (this.#unheard !== undefined) await this.listen()
    if (this.#deadMan === undefined || this.#isSilent) return
    const deadMan = this.#deadMan
    await this.#inTurn(async () => {
      if (performance.now() - this.#heardAt < deadMan) return
      this.#isSilent = true
      await this.#crew.apply(this.#effective())
      this.#log("error", "nobody gives orders: all weight is back with the stable pools", {})
    })
  }

  /** Whoever gives orders is alive: after a silence the last table is true again. */
  heard(): void {
    this.#heardAt = performance.now()
    if (!this.#isSilent) return
    this.#isSilent = false
    this.#log("info", "orders may come again: the last table is true again", {})
    void this.#inTurn(() => this.#crew.apply(this.#effective())).catch(() => undefined)
  }

  /** The table of a router that nobody else tells anything. */
  async setOwnTable(table: (generation: number) => TableOrder): Promise<void> {
    const generation = Math.max(0, ...Object.values(this.#book.apps).map((one) => one.generation)) + 1
    await this.setTable(table(generation))
  }

  fence(app: string, epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#book = fence(this.#book, app, epoch)
      await this.#save()
    })
  }

  setTable(order: TableOrder): Promise<void> {
    return this.#inTurn(async () => {
      const before = allRoutes(this.#book)
      const next = replaceTable(this.#book, order)
      const prepared = await this.#crew.prepare(this.#wanted(next))
      this.#book = rememberPorts(next, prepared.addresses)
      // Before it may be chosen at all: a new instance is asked nothing until it has shown that it is well.
      await this.#health.follow(allRoutes(this.#book))
      await this.#pause(order, before)
      // The disk is not waited for before users are moved, nor the other way round: a full disk stops nobody.
      const saved = this.#save().then(
        () => undefined,
        (error: unknown) => error,
      )
      await prepared.commit(this.#effective())
      this.#degraded = undefined
      this.#unheard = undefined
      const problem = await saved
      if (problem !== undefined) throw problem
    })
  }

  release(order: Fence, instance: string, deadlineMs: number | undefined): Promise<Release> {
    return this.#inTurn(async () => {
      checkFence(this.#book, order)
      if (!isReleased(this.#book, instance)) {
        const weight = weightOf(instance, allRoutes(this.#book))
        const isOver = deadlineMs !== undefined && (await this.#crew.weightlessFor(instance)) >= deadlineMs
        if (weight === 0 && isOver) await this.#crew.cut(instance)
        const inFlight = await this.#crew.inFlight(instance)
        if (weight > 0 || inFlight > 0) return { released: false, weight, inFlight }
        this.#book = bury(this.#book, order.app, instance)
        await this.#crew.apply(this.#effective())
      }
      await this.#save()
      return { released: true }
    })
  }

  async #prepareWhatIsPossible(wanted: readonly WantedListener[]) {
    try {
      return { prepared: await this.#crew.prepare(wanted), problems: [] }
    } catch {
      // Each for itself then: at boot one busy address must not keep the others shut.
    }
    const problems: string[] = []
    const possible: WantedListener[] = []
    for (const one of wanted) {
      try {
        const prepared = await this.#crew.prepare([...possible, one])
        await prepared.abandon()
        possible.push(one)
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error))
      }
    }
    return { prepared: await this.#crew.prepare(possible), problems }
  }

  /** The routes as traffic follows them: without orders for too long, without canaries. */
  #effective(): readonly RouteTable[] {
    const routes = allRoutes(this.#book)
    return this.#isSilent ? routes.map(allToStable) : routes
  }

  /** New requests wait until instances that are about to lose all weight have answered theirs. */
  async #pause({ routes, pauseMs }: TableOrder, before: readonly RouteTable[]): Promise<void> {
    const after = allRoutes(this.#book)
    const pauses = new Map(routes.map((one) => [one.route, one.pauseMs ?? pauseMs ?? 0]))
    const losing = (route: string) => losers(route, before, after)
    const held = [...pauses].filter(([route, forMs]) => forMs > 0 && losing(route).length > 0)
    // Side by side: who asks for a short pause does not wait for who asks for a long one.
    await Promise.all(held.map(([route, forMs]) => this.#hold(route, losing(route), forMs)))
  }

  async #hold(route: string, losing: readonly string[], forMs: number): Promise<void> {
    await this.#crew.hold([route], forMs + 1_000)
    const deadline = performance.now() + forMs
    while (performance.now() < deadline && (await this.#crew.requestsOn(losing)) > 0) await sleep(5)
  }

  #wanted(book: Book) {
    return allRoutes(book).map(({ route, listen, plain }) => ({
      route,
      listen,
      port: book.ports[route],
      ...(plain ? { plain } : {}),
    }))
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

/** Instances of a route that no route sends anybody to any more. */
const losers = (
  route: string,
  before: readonly RouteTable[],
  after: readonly RouteTable[],
): readonly string[] =>
  before
    .filter((one) => one.route === route)
    .flatMap(({ pools }) => pools.flatMap(({ instances }) => instances.map(({ id }) => id)))
    .filter((id) => weightOf(id, before) > 0 && weightOf(id, after) === 0)
