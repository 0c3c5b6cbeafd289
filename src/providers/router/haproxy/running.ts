import { connect } from "node:net"
import { join } from "node:path"
import { type Book, type Placement, serverOf } from "./book.ts"
import { writeWhole } from "./book-file.ts"
import { configuration, descriptionOf, poolsFile, rowsFile, serverWords } from "./configuration.ts"
import { startHaproxy } from "./program.ts"
import { RuntimeSocket, type Seen } from "./runtime-socket.ts"
import { tlsFile } from "./tls.ts"

/** How long HAProxy may take to start, or to start anew, in ms. */
const startLimit = 10_000
/** How long an instance may take to accept a connection, in ms. */
const probeLimit = 1_000

/** The HAProxy that runs, and how it becomes what the book says. */
export class Running {
  readonly #dir: string
  readonly #socket: RuntimeSocket
  readonly #written = new Map<string, string>()

  readonly #secure: boolean

  constructor(dir: string, secure: boolean) {
    this.#dir = dir
    this.#secure = secure
    this.#socket = new RuntimeSocket(dir)
  }

  /** What HAProxy starts from with everything else dead. */
  writeFiles(book: Book): void {
    const { main, rows, pools } = configuration(book, this.#dir, this.#secure)
    const files = {
      [rowsFile(this.#dir)]: rows,
      [poolsFile(this.#dir)]: pools,
      [join(this.#dir, "haproxy.cfg")]: main,
    }
    for (const [file, text] of Object.entries(files)) {
      if (this.#written.get(file) === text) continue
      writeWhole(file, text)
      this.#written.set(file, text)
    }
  }

  /** Has users who connect from now on meet this certificate. */
  async certify(pem: string): Promise<void> {
    const file = tlsFile(this.#dir)
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
    const ended = startHaproxy(this.#dir)
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
   * time: only then do they take users.
   */
  async follow(book: Book): Promise<ReadonlySet<number>> {
    const staying = book.placements.filter((one) => !one.leaving)
    const [seen, fresh] = await Promise.all([
      this.#inShape(book),
      this.#answering(staying.filter((one) => !one.ready)),
    ])
    const takesUsers = (one: Placement) => one.ready || fresh.has(one.number)
    const servers = staying.flatMap((one) => {
      const known = seen.get(serverOf(one))
      const shut = !known || known.maintenance || known.draining
      return [...(known ? [] : added(one)), ...(takesUsers(one) && shut ? [readied(one)] : [])]
    })
    const { rows, pools } = configuration(book, this.#dir, this.#secure)
    const tables = [...settings(poolsFile(this.#dir), pools), ...settings(rowsFile(this.#dir), rows)]
    const leaving = book.placements.filter((one) => {
      const known = seen.get(serverOf(one))
      return one.leaving && known && !known.maintenance && !known.draining
    })
    await this.#socket.order([...servers, ...tables])
    await this.#socket.attempt(leaving.map(drained))
    this.writeFiles(book)
    return fresh
  }

  /** The servers of a HAProxy that has the frontends and backends of the book; started or reloaded when need be. */
  async #inShape(book: Book): Promise<ReadonlyMap<string, Seen>> {
    const found = await this.#socket.servers().catch(() => undefined)
    if (found?.description === descriptionOf(book, this.#secure)) return found.servers
    this.writeFiles(book)
    if (found) await this.#reload(book)
    else await this.#start()
    const { description, servers } = await this.#socket.servers()
    if (description !== descriptionOf(book, this.#secure))
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
    const wanted = descriptionOf(book, this.#secure)
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

  async #answering(placements: readonly Placement[]): Promise<ReadonlySet<number>> {
    const found = await Promise.all(
      placements.map(async (one) => ((await accepts(one.address)) ? [one.number] : [])),
    )
    return new Set(found.flat())
  }

  async #until(what: string, look: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + startLimit
    while (!(await look())) {
      if (performance.now() > deadline) throw new Error(`waited ${startLimit / 1_000} s for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

const added = (one: Placement): readonly string[] => [
  `add server ${serverOf(one)} ${serverWords(one)}`,
  `enable health ${serverOf(one)}`,
]
const readied = (one: Placement): string => `set server ${serverOf(one)} state ready`
const drained = (one: Placement): string => `set server ${serverOf(one)} state drain`

/** The lines of a map's file as orders to a running HAProxy. */
const settings = (file: string, lines: string): readonly string[] =>
  lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `set map ${file} ${line}`)

const accepts = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [host, port] = address.split(":")
    const socket = connect({ host, port: Number(port), timeout: probeLimit })
    const end = (found: boolean) => {
      socket.destroy()
      resolve(found)
    }
    socket.once("connect", () => end(true))
    socket.once("timeout", () => end(false))
    socket.once("error", () => end(false))
  })
