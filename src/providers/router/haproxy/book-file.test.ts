import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { emptyBook, withTable } from "./book.ts"
import { loadBook, saveBook } from "./book-file.ts"

const book = (generation: number) =>
  withTable(
    emptyBook,
    { app: "papi", epoch: 1, generation },
    [
      {
        route: "papi/prod",
        listen: "127.0.0.1:8103",
        salt: "papi",
        sticky: { by: "none" },
        pools: [{ pool: "r1", weight: 100, instances: [{ id: "a", address: "127.0.0.1:1" }] }],
        stable: "r1",
        mirror: undefined,
      },
    ],
    new Map(),
  )

describe("what HAProxy's driver remembers", () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "book-"))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const generationIn = () => loadBook(dir).book.apps.papi?.generation

  it("is nothing in a new folder, and what was saved last after that", async () => {
    expect(loadBook(dir)).toEqual({ book: emptyBook, degraded: undefined })
    await saveBook(dir, book(1))
    await saveBook(dir, book(2))
    expect(loadBook(dir)).toEqual({ book: book(2), degraded: undefined })
  })

  it("is never empty after 1,000 torn writes: the book before is there, and it is said", async () => {
    await saveBook(dir, book(1))
    await saveBook(dir, book(2))
    const whole = readFileSync(join(dir, "book.json"))
    let random = 42
    for (let round = 0; round < 1_000; round++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
      const torn = Buffer.from(whole.subarray(0, random % whole.length))
      if (torn.length > 0 && round % 2 === 0) torn.writeUInt8(random & 0xff, random % torn.length)
      writeFileSync(join(dir, "book.json"), torn)
      const { book: found, degraded } = loadBook(dir)
      expect(found).toEqual(book(1))
      expect(degraded).toBe("book.json is torn: started from book.prev.json")
    }
  })

  it("does not lose the good one when it saves over a torn one", async () => {
    await saveBook(dir, book(1))
    await saveBook(dir, book(2))
    writeFileSync(join(dir, "book.json"), "torn")
    await saveBook(dir, book(3))
    expect(generationIn()).toBe(3)
    writeFileSync(join(dir, "book.json"), "torn")
    expect(generationIn()).toBe(1)
  })
})
