import { createHash } from "node:crypto"
import { link, open, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { type AppEntry, type Book, emptyBook } from "./book.ts"
import { readRoute } from "./read-table.ts"

export type Loaded = {
  readonly book: Book
  /** Why this is not the last state, in plain words. */
  readonly degraded: string | undefined
}

/** The router's memory on disk: the whole of it in one file, and the one before; at first the same one twice. */
export class StateFile {
  readonly #dir: string
  readonly #current: string
  readonly #previous: string
  // A file that could not be read must not push the good one before it out.
  #keepsCurrent = true

  constructor(dir: string) {
    this.#dir = dir
    this.#current = join(dir, "state.json")
    this.#previous = join(dir, "state.prev.json")
  }

  /** The last state that can be trusted. A router without any has never run here. */
  async load(): Promise<Loaded> {
    const current = await read(this.#current)
    if (current.kind === "book") return { book: current.book, degraded: undefined }
    const previous = await read(this.#previous)
    if (current.kind === "absent" && previous.kind === "absent")
      return { book: emptyBook, degraded: undefined }
    this.#keepsCurrent = false
    const because = current.kind === "absent" ? "state.json is missing" : `state.json ${current.because}`
    if (previous.kind === "book")
      return {
        book: previous.book,
        degraded: `${because}; serving from state.prev.json until the next table comes`,
      }
    return {
      book: emptyBook,
      degraded: `${because} and state.prev.json ${previous.kind === "absent" ? "is missing" : previous.because}; serving nothing until tables come`,
    }
  }

  /** Resolves when this state would survive a power cut. */
  async save(book: Book): Promise<void> {
    const content = write(book)
    await writeWhole(`${this.#current}.new`, content)
    if (this.#keepsCurrent && !(await this.#keepCurrent())) {
      // There is none before the first: a copy of its own, for one torn file must never be all there is.
      await writeWhole(`${this.#previous}.new`, content)
      await rename(`${this.#previous}.new`, this.#previous)
    }
    await rename(`${this.#current}.new`, this.#current)
    this.#keepsCurrent = true
    const folder = await open(this.#dir, "r")
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  /** A second name for the file that is about to be replaced: at no moment is there none. False: there is no file. */
  async #keepCurrent(): Promise<boolean> {
    const second = `${this.#previous}.new`
    await rm(second, { force: true })
    try {
      await link(this.#current, second)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false
      throw error
    }
    await rename(second, this.#previous)
    return true
  }
}

async function writeWhole(path: string, content: string): Promise<void> {
  const file = await open(path, "w", 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

type Read =
  | { readonly kind: "book"; readonly book: Book }
  | { readonly kind: "absent" }
  | { readonly kind: "bad"; readonly because: string }

const checksum = (text: string): string => createHash("sha256").update(text).digest("hex")

/** One line of state, one line with its sha256. */
function write(book: Book): string {
  const text = JSON.stringify({ version: 1, ...book })
  return `${text}\n${checksum(text)}\n`
}

async function read(path: string): Promise<Read> {
  let content: string
  try {
    content = await readFile(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "absent" }
    return {
      kind: "bad",
      because: `cannot be read (${error instanceof Error ? error.message : String(error)})`,
    }
  }
  const [text, sum, ...rest] = content.split("\n")
  if (text === undefined || rest.join("") !== "" || checksum(text) !== sum)
    return { kind: "bad", because: "is damaged (its checksum does not fit)" }
  try {
    return { kind: "book", book: parse(JSON.parse(text)) }
  } catch (error) {
    return {
      kind: "bad",
      because: `is not understood (${error instanceof Error ? error.message : String(error)})`,
    }
  }
}

type Stored = Book & { readonly version: unknown }

/** The checksum says that we wrote it; routes are read again all the same, for an older version may have. */
function parse(value: unknown): Book {
  const { version, apps, ports, tombstones } = value as Stored
  if (version !== 1) throw new Error(`its version is ${JSON.stringify(version)}, this router reads 1`)
  const entries = Object.entries(apps).map(([app, entry]): [string, AppEntry] => [
    app,
    { ...entry, routes: entry.routes.map((route, at) => readRoute(route, `${app}.routes[${at}]`)) },
  ])
  return { apps: Object.fromEntries(entries), ports, tombstones }
}
