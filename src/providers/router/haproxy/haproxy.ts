import { randomUUID } from "node:crypto"
import { mkdirSync } from "node:fs"
import { join, resolve } from "node:path"
import type { RouteSpec } from "../../../core/pipeline/effects.ts"
import type { Counters, MirrorCounters, RouterCounters } from "../../../ports/counters.ts"
import type {
  Applied,
  Fence,
  HeldRouter,
  Released,
  RouterAbilities,
  RouterState,
} from "../../../ports/router.ts"
import { addressesFor } from "./addresses.ts"
import {
  allRoutes,
  type Book,
  emptyBook,
  fenced,
  type Placement,
  refusalOf,
  staleOrder,
  weightOf,
  withoutInstance,
  withoutPlacements,
  withReady,
  withTable,
} from "./book.ts"
import { loadBook, saveBook } from "./book-file.ts"
import { feedSocket } from "./configuration.ts"
import { Copies } from "./copies.ts"
import { Feed } from "./feed.ts"
import { holdsBetween } from "./holding.ts"
import type { Line } from "./line.ts"
import { haproxyProgram, knowsLua } from "./program.ts"
import { Running } from "./running.ts"
import { readSettings } from "./settings.ts"
import { Tallies } from "./tally.ts"
import { Tls } from "./tls.ts"

/** How often HAProxy is looked at: is it there, have instances come up, are others empty by now. */
const lookEvery = 500
/** Unix sockets have short names, and HAProxy makes longer ones of them. */
const longestDir = 70

/** HAProxy as a router: told through its runtime socket, measured through its log; it lives on without us. */
export class Haproxy implements HeldRouter {
  readonly can: RouterAbilities
  readonly #dir: string
  readonly #tls: Tls
  readonly #running: Running
  readonly #feed: Feed
  readonly #tallies = new Tallies()
  readonly #copies: Copies
  readonly #boot = randomUUID()
  readonly #weightless = new Map<string, number>()
  #book = emptyBook
  #degraded: string | undefined
  #unsaved: string | undefined
  /** New, and not told yet. */
  #certificate: string | undefined
  #uncertified: string | undefined
  /** Whether HAProxy was told all there is to tell. */
  #isSettled = false
  #last: Promise<unknown> = Promise.resolve()
  #saved: Promise<unknown> = Promise.resolve()
  #looker: NodeJS.Timeout | undefined

  private constructor(dir: string, book: Book, degraded: string | undefined, lua: boolean) {
    this.#dir = dir
    this.can = {
      evenShares: false,
      keepsCounters: false,
      mirrors: "after",
      selections: ["sha256"],
      holdsRequests: lua,
    }
    const { tls, limits } = readSettings(join(dir, "settings.json"))
    this.#tls = Tls.open(dir, tls)
    this.#degraded = degraded
    this.#copies = new Copies(book.secret)
    this.#running = new Running({ dir, secure: this.#tls.isOn, lua, limits })
    this.#feed = new Feed(feedSocket(dir), (line) => this.#read(line))
    this.#become(book)
  }

  /** Takes over the HAProxy of a folder, or starts it. Throws when it is not installed or does not start. */
  static async open(this: void, options: { readonly dir: string }): Promise<Haproxy> {
    const dir = resolve(options.dir)
    if (dir.length > longestDir || !/^[\w./+-]+$/.test(dir))
      throw new Error(
        `HAProxy cannot work in ${dir}: give it a folder of at most ${longestDir} letters, digits, dots and dashes`,
      )
    const lua = await knowsLua(haproxyProgram())
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const { book, degraded } = loadBook(dir)
    const secret = book.secret || randomUUID()
    const router = new Haproxy(dir, { ...book, secret }, degraded, lua)
    await router.#feed.listen()
    try {
      await router.#inTurn(() => router.#look())
    } catch (error) {
      await router.close()
      throw error
    }
    router.#looker = setInterval(() => {
      // What cannot be done now is tried at the next look; meanwhile every order says what is wrong.
      void router.#inTurn(() => router.#look()).catch(() => undefined)
    }, lookEvery)
    // A process that has nothing else to do may end.
    router.#looker.unref()
    return router
  }

  fence(app: string, epoch: number): Promise<Applied> {
    return this.#inTurn(async () => {
      const next = fenced(this.#book, app, epoch)
      if ("kind" in next) return next
      if (next !== this.#book) await this.#save(next)
      this.#book = next
      return applied
    })
  }

  setRoutes(fence: Fence, routes: readonly RouteSpec[]): Promise<Applied> {
    return this.#inTurn(async () => {
      const refusal = refusalOf(this.#book, fence, routes)
      if (refusal) return refusal
      const found = await addressesFor(this.#book, fence.app, routes)
      if (found.kind === "in-use") return { kind: "refused", code: "address-in-use", because: found.because }
      const before = this.#book
      this.#become(withTable(before, fence, routes, found.addresses))
      // Side by side: with a full disk users can still be moved, it is only not acknowledged.
      await allOf([this.#follow(before), this.#save(this.#book)])
      this.#degraded = undefined
      return applied
    })
  }

  release(fence: Fence, instance: string, drain: number): Promise<Released> {
    return this.#inTurn(async () => {
      const late = staleOrder(this.#book, fence)
      if (late) throw new Error(`the router refused: ${late.because}`)
      if (this.#book.released.includes(instance)) return { kind: "released" }
      const places = this.#book.placements.filter((one) => one.id === instance)
      const weight = weightOf(this.#book, instance)
      if (weight > 0) return { kind: "busy", weight, inFlight: await this.#inFlight(places) }
      if (places.length > 0) {
        const inFlight = await this.#empty(instance, places, drain)
        if (inFlight > 0) return { kind: "busy", weight, inFlight }
      }
      this.#become(withoutInstance(this.#book, instance))
      await allOf([this.#follow(), this.#save(this.#book)])
      return { kind: "released" }
    })
  }

  async state(): Promise<RouterState> {
    const book = this.#book
    const pid = this.#hasRoutes ? await this.#running.pid() : await this.#running.pid().catch(() => undefined)
    const underWay = pid === undefined ? new Map() : await this.#running.underWay(book.placements)
    const down = pid === undefined ? new Set() : await this.#running.refusing()
    const refusing = book.placements.filter(
      ({ number, ready, leaving }) => ready && !leaving && down.has(number),
    )
    const inFlight: Record<string, number> = {}
    for (const { id, number } of book.placements)
      inFlight[id] = (inFlight[id] ?? 0) + (underWay.get(number) ?? 0)
    const problems = [this.#degraded, this.#unsaved, this.#uncertified].filter((one) => one !== undefined)
    return {
      pid,
      apps: Object.fromEntries(
        Object.entries(book.apps).map(([app, { epoch, generation, routes }]) => [
          app,
          { epoch, generation, routes },
        ]),
      ),
      listeners: Object.fromEntries(
        Object.entries(book.doors).map(([route, { address }]) => [route, address]),
      ),
      inFlight,
      refusing: [...new Set(refusing.map(({ id }) => id))],
      released: book.released,
      degraded: problems.length > 0 ? problems.join("; ") : undefined,
    }
  }

  async counters(): Promise<RouterCounters> {
    // No line is not the same as no request.
    if (this.#hasRoutes && !this.#feed.isConnected)
      throw new Error("HAProxy's log does not reach us: it is not connected to feed.sock")
    const pools = this.#tallies.read()
    const mirrors = new Map(
      allRoutes(this.#book).flatMap(({ route, mirror }) =>
        mirror ? [[route, this.#copies.read(route, mirror.to)] as const] : [],
      ),
    )
    const names = new Set([...Object.keys(pools), ...Object.keys(this.#book.doors)])
    const routes: Record<string, CountedRoute> = {}
    for (const name of names) routes[name] = { pools: pools[name] ?? {}, mirror: mirrors.get(name) }
    return { boot: this.#boot, at: Date.now(), routes }
  }

  /** HAProxy lives on; only its log is read no more. */
  async close(): Promise<void> {
    clearInterval(this.#looker)
    await this.#last
    this.#copies.close()
    await this.#feed.close()
  }

  /** Shuts an instance that nobody is on; or returns how many are. */
  async #empty(instance: string, places: readonly Placement[], drain: number): Promise<number> {
    const now = performance.now()
    if (now - (this.#weightless.get(instance) ?? now) >= drain) await this.#running.cut(places)
    const before = await this.#inFlight(places)
    if (before > 0) return before
    // A request may just now have been on its way: only behind a shut door nobody means nobody.
    await this.#running.shut(places)
    const after = await this.#inFlight(places)
    if (after > 0) await this.#running.open(places)
    return after
  }

  async #look(): Promise<void> {
    await this.#certify()
    const leaving = this.#book.placements.filter((one) => one.leaving)
    if (leaving.length === 0 && this.#isSettled && (await this.#running.answers())) return
    await this.#follow()
    const gone = await this.#running.remove(await this.#idle(leaving))
    if (gone.size === 0) return
    this.#become(withoutPlacements(this.#book, gone))
    await this.#save(this.#book)
  }

  /** What is wrong with a certificate stands in the way of nothing else: the one before serves on. */
  async #certify(): Promise<void> {
    this.#certificate = this.#tls.renewed() ?? this.#certificate
    // Without any HAProxy there is nobody to tell: it will start with the file.
    if (this.#certificate === undefined || !(await this.#running.answers())) return
    try {
      await this.#running.certify(this.#certificate)
      this.#certificate = undefined
      this.#uncertified = undefined
    } catch (error) {
      this.#uncertified = error instanceof Error ? error.message : String(error)
    }
  }

  /** `before`: what users are routed by until now, where some of them may have to wait for the change. */
  async #follow(before: Book = this.#book): Promise<void> {
    this.#isSettled = false
    if (!this.#hasRoutes && !(await this.#running.answers())) return
    const fresh = await this.#running.follow(this.#book, holdsBetween(before, this.#book))
    if (fresh.size > 0) {
      this.#become(withReady(this.#book, fresh))
      this.#running.writeFiles(this.#book)
      await this.#save(this.#book)
    }
    this.#isSettled = this.#book.placements.every((one) => one.ready || one.leaving)
  }

  /** Without any HAProxy need not even run. */
  get #hasRoutes(): boolean {
    return Object.keys(this.#book.doors).length > 0
  }

  async #idle(placements: readonly Placement[]): Promise<readonly Placement[]> {
    const underWay = await this.#running.underWay(placements)
    return placements.filter((one) => underWay.get(one.number) === 0)
  }

  async #inFlight(placements: readonly Placement[]): Promise<number> {
    const underWay = await this.#running.underWay(placements)
    return [...underWay.values()].reduce((sum, one) => sum + one, 0)
  }

  #become(book: Book): void {
    this.#book = book
    this.#tallies.keep(book.placements, performance.now())
    const there = new Set(book.placements.map((one) => one.id))
    for (const id of this.#weightless.keys()) if (!there.has(id)) this.#weightless.delete(id)
    for (const id of there) {
      if (weightOf(book, id) > 0) this.#weightless.delete(id)
      else if (!this.#weightless.has(id)) this.#weightless.set(id, performance.now())
    }
  }

  /** One after the other, so that the newest book is the last that is written. */
  #save(book: Book): Promise<void> {
    const mine = this.#saved.then(async () => {
      try {
        await saveBook(this.#dir, book)
        this.#unsaved = undefined
      } catch (error) {
        this.#unsaved = `the state cannot be written: ${error instanceof Error ? error.message : String(error)}`
        throw new Error(`the router did not acknowledge: ${this.#unsaved}; free the disk and send it again`)
      }
    })
    this.#saved = mine.catch(() => undefined)
    return mine
  }

  #read(line: Line): void {
    const { placement, outcome } = line
    if (line.id !== undefined) this.#copies.ended(line.id, outcome, placement !== undefined)
    if (outcome === "gone" || placement === undefined) return
    // Which instance of the pool it was nobody tells; cohorts are judged by their pools.
    for (let n = 0; n < line.failedBefore; n++) this.#tallies.add(placement, { bad: true, ms: undefined })
    this.#tallies.add(placement, outcome)
    if (!line.copy) return
    const route = allRoutes(this.#book).find((one) => this.#book.doors[one.route]?.number === line.door)
    if (!route?.mirror) return
    const { to, timeout, deny, tell } = route.mirror
    const address = this.#book.doors[to]?.address
    this.#copies.make(line.copy, line.at, outcome, { from: route.route, to, timeout, deny, tell, address })
  }

  #inTurn<T>(order: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(order, order)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

type CountedRoute = {
  readonly pools: Readonly<Record<string, Readonly<Record<string, Counters>>>>
  readonly mirror: MirrorCounters | undefined
}

const applied: Applied = { kind: "applied" }

/** Waits for all of them to end; then what went wrong first is thrown. */
async function allOf(parts: readonly Promise<unknown>[]): Promise<void> {
  for (const part of await Promise.allSettled(parts)) if (part.status === "rejected") throw part.reason
}
