import { createHash } from "node:crypto"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { copyFile, open, rename } from "node:fs/promises"
import { join } from "node:path"
import { type Book, emptyBook } from "./book.ts"

const newest = "book.json"
const before = "book.prev.json"

/** Writes so that a crash leaves the old book or the new one; the one before is kept beside it, if it was whole. */
export async function saveBook(dir: string, book: Book): Promise<void> {
  const file = join(dir, newest)
  const body = JSON.stringify(book)
  const handle = await open(`${file}.new`, "w", 0o600)
  try {
    await handle.writeFile(`${sum(body)}\n${body}`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (typeof read(file) === "object") {
    await copyFile(file, `${join(dir, before)}.new`)
    await rename(`${join(dir, before)}.new`, join(dir, before))
  }
  await rename(`${file}.new`, file)
}

/** The newest book that is whole; starting with less than there was is said in plain words. */
export function loadBook(dir: string): { readonly book: Book; readonly degraded: string | undefined } {
  const problems: string[] = []
  for (const name of [newest, before]) {
    const found = read(join(dir, name))
    if (typeof found === "object")
      return {
        book: { ...emptyBook, ...found },
        degraded: problems.length > 0 ? `${problems.join("; ")}: started from ${name}` : undefined,
      }
    if (found) problems.push(`${name} ${found}`)
  }
  return {
    book: emptyBook,
    degraded: problems.length > 0 ? `${problems.join("; ")}: started with no routes` : undefined,
  }
}

/** For files that can be made again from the book: whole or not there, but not worth waiting for the disk. */
export function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function read(file: string): Book | string | undefined {
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, "utf8")
  const body = text.slice(65)
  if (text[64] !== "\n" || text.slice(0, 64) !== sum(body)) return "is torn"
  return JSON.parse(body) as Book
}

const sum = (text: string): string => createHash("sha256").update(text).digest("hex")
