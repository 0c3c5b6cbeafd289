import { type Book, type Placement, serverOf } from "./book.ts"
import { writeWhole } from "./book-file.ts"
import { serverWords } from "./checks.ts"
import { descriptionOf, filesOf, type Setup } from "./configuration.ts"
import type { Hold } from "./holding.ts"
import { isUp } from "./probe.ts"
import { startHaproxy } from "./program.ts"
import { poolRowsOf, poolsFile, rowsFile, rowsOf } from "./rows.ts"
import { RuntimeSocket, type Seen } from "./runtime-socket.ts"
import { tlsFile } from "./tls.ts"

/** How long HAProxy may take to start, or to start anew, in ms. */
const startLimit = 10_000
/** The HAProxy that runs, and how it becomes what the book says. */
export class Running {
  readonly #setup: Setup
  readonly #socket: RuntimeSocket
  readonly #written = new Map<string, string>()

  constructor(setup: Setup) {
    this.#setup = setup
    this.#socket = new RuntimeSocket(setup.dir)
  }

  /** What HAProxy starts from with everything else dead. */
  writeFiles(book: Book, holds: readonly Hold[] = []): void {
    for (const [file, text] of Object.entries(filesOf(book, this.#setup, holds, Date.now()))) {
      if (this.#written.get(file) === text) continue
      writeWhole(file, text)
      this.#written.set(file, text)
    }
  }

  /** Has users who connect from now on meet this certificate. */
  async certify(pem: string): Promise<void> {
    const file = tlsFile(this.#setup.dir)
    // A transaction that was begun and never ended would keep this one out.
    await this.#socket.attempt([`abort ssl cert ${file}`])
    const taken = await this.#socket.ask(`set ssl cert ${file} <<\n${pem}`)
    if (!taken.includes("Transaction"))
      throw new Error(`HAProxy refused the new certificate: ${taken.trim()}`)
    const committed = await this.#socket.ask(`commit ssl cert ${file}`)
    if (!committed.includes("Success"))
      throw new Error(`HAProxy refused the new certificate: ${committed.trim()}`)
  }

  async #start(): Promise<void> {
    const ended = startHaproxy(this.#setup.dir)
    await this.#until("HAProxy to start", async () => {
      const why = ended()
      if (why !== undefined) throw new Error(`HAProxy does not start: ${why}`)
      return this.answers()
    })
  }

  /** Whether it can be told something. */
  async answers(): Promise<boolean> {
    try {
      await this.#socket.description()
      await this.#socket.processes()
      return true
    } catch {
      return false
    }
  }

  /** The master's process id. */
  async pid(): Promise<number> {
    return (await this.#socket.processes()).master
  }

  /**
   * Makes it route by the book, new instances first. Returns the placements that answered a probe for the first
   * time: only then do they take users. Before users move, new requests of `holds` wait until what is under way
   * on instances that lose them has ended.
   */
  async follow(book: Book, holds: readonly Hold[] = []): Promise<ReadonlySet<number>> {
    const staying = book.placements.filter((one) => !one.leaving)
    const [seen, fresh] = await Promise.all([
      this.#inShape(book, holds),
      this.#answering(
        book,
        staying.filter((one) => !one.ready),
      ),
    ])
    const takesUsers = (one: Placement) => one.ready || fresh.has(one.number)
    const servers = staying.flatMap((one) => {
      const known = seen.get(serverOf(one))
      const shut = !known || known.maintenance || known.draining
      return [...(known ? [] : this.#added(book, one)), ...(takesUsers(one) && shut ? [readied(one)] : [])]
    })
    const leaving = book.placements.filter((one) => {
      const known = seen.get(serverOf(one))
      return one.leaving && known && !known.maintenance && !known.draining
    })
    await this.#socket.order(servers)
    await this.#hold(book, holds)
    const { dir } = this.#setup
    await this.#socket.order([
      ...settings(poolsFile(dir), poolRowsOf(book)),
      ...settings(rowsFile(dir), rowsOf(book)),
    ])
    await this.#socket.attempt(leaving.map(drained))
    this.writeFiles(book)
    return fresh
  }

  /** Where HAProxy knows no waiting, the two sides overlap. */
  async #hold(book: Book, holds: readonly Hold[]): Promise<void> {
    if (holds.length === 0 || !this.#setup.lua) return
    const rows = rowsOf(book, holds, Date.now())
    await this.#socket.order(settings(rowsFile(this.#setup.dir), rows))
    const begun = performance.now()
    for (;;) {
      const waited = performance.now() - begun
      const patient = holds.filter(({ patience }) => waited < patience)
      const losing = new Set(patient.flatMap((hold) => hold.losing))
      const underWay = await this.underWay(book.placements.filter((one) => losing.has(one.id)))
      if ([...underWay.values()].every((requests) => requests === 0)) return
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** The servers of a HAProxy that has the frontends and backends of the book; started or reloaded when need be. */
  async #inShape(book: Book, holds: readonly Hold[]): Promise<ReadonlyMap<string, Seen>> {
    const found = await this.#socket.servers().catch(() => undefined)
    if (found?.description === descriptionOf(book, this.#setup)) return found.servers
    this.writeFiles(book, this.#setup.lua ? holds : [])
    if (found) await this.#reload(book)
    else await this.#start()
    const { description, servers } = await this.#socket.servers()
    if (description !== descriptionOf(book, this.#setup))
      throw new Error("HAProxy runs with another configuration than it was given")
    return servers
  }

  /** Requests under way, by number of placement. */
  async underWay(placements: readonly Placement[]): Promise<ReadonlyMap<number, number>> {
    if (placements.length === 0) return new Map()
    const { old } = await this.#socket.processes()
    const sessions = await this.#socket.sessions(old)
    return new Map(placements.map((one) => [one.number, sessions.get(serverOf(one)) ?? 0]))
  }

  /** Numbers of the placements that HAProxy asks nothing of, because they refuse it or say that they are not well. */
  async refusing(): Promise<ReadonlySet<number>> {
    const { servers } = await this.#socket.servers()
    return new Set([...servers].flatMap(([name, one]) => (one.refuses ? [numberIn(name)] : [])))
  }

  /** Lets nobody new onto these servers, whatever the tables say. */
  async shut(placements: readonly Placement[]): Promise<void> {
    await this.#socket.attempt(placements.map((one) => `set server ${serverOf(one)} state maint`))
  }

  /** Undoes `shut`. */
  async open(placements: readonly Placement[]): Promise<void> {
    await this.#socket.attempt(placements.filter((one) => one.ready).map(readied))
  }

  /** Ends whatever is under way on these servers. */
  async cut(placements: readonly Placement[]): Promise<void> {
    const { old } = await this.#socket.processes()
    await this.#socket.cut(placements.map(serverOf), old)
  }

  /** Takes servers away that nobody is on; returns the numbers of those that are gone. */
  async remove(placements: readonly Placement[]): Promise<ReadonlySet<number>> {
    if (placements.length === 0) return new Set()
    await this.shut(placements)
    const underWay = await this.underWay(placements)
    const idle = placements.filter((one) => underWay.get(one.number) === 0)
    await this.#socket.attempt(idle.map((one) => `del server ${serverOf(one)}`))
    const { servers: seen } = await this.#socket.servers()
    return new Set(idle.filter((one) => !seen.has(serverOf(one))).map((one) => one.number))
  }

  async #reload(book: Book): Promise<void> {
    await this.#socket.reload()
    const wanted = descriptionOf(book, this.#setup)
    await this.#until(
      "HAProxy to take its new configuration (haproxy.log tells why it does not)",
      async () => {
        const description = await this.#socket.description().catch(() => "")
        if (description !== wanted || !(await this.answers())) return false
        const { old } = await this.#socket.processes()
        return (await Promise.all(old.map((pid) => this.#socket.isStopping(pid)))).every(Boolean)
      },
    )
  }

  async #answering(book: Book, placements: readonly Placement[]): Promise<ReadonlySet<number>> {
    const found = await Promise.all(
      placements.map(async (one) => {
        const isReady = await isUp(one.address, book.doors[one.route]?.health)
        return isReady ? [one.number] : []
      }),
    )
    return new Set(found.flat())
  }

  #added(book: Book, one: Placement): readonly string[] {
    const words = serverWords(one, book.doors[one.route]?.health, this.#setup.limits.inFlight)
    return [`add server ${serverOf(one)} ${words}`, `enable health ${serverOf(one)}`]
  }

  async #until(what: string, look: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + startLimit
    while (!(await look())) {
      if (performance.now() > deadline) throw new Error(`waited ${startLimit / 1_000} s for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

const readied = (one: Placement): string => `set server ${serverOf(one)} state ready`
const drained = (one: Placement): string => `set server ${serverOf(one)} state drain`

/** The lines of a map's file as orders to a running HAProxy. */
const settings = (file: string, lines: string): readonly string[] =>
  lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `set map ${file} ${line}`)

/** The number of a placement in the name of its server. */
const numberIn = (server: string): number => Number(server.slice(server.indexOf("/s") + 2))
