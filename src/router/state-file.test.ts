import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type Book, emptyBook, replaceTable } from "./book.ts"
import { StateFile } from "./state-file.ts"

let dir = ""
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "state-"))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const book = (generation: number): Book => {
  const route = {
    route: "papi/prod",
    listen: "127.0.0.1:0",
    salt: "s",
    sticky: { by: "none" },
    pools: [],
    stable: null,
  } as const
  return replaceTable(emptyBook, { app: "papi", epoch: 1, generation, routes: [route] })
}

const path = (name = "state.json") => join(dir, name)
const load = () => new StateFile(dir).load()
const generation = (found: Book) => found.apps.papi?.generation

/** Mulberry32: the same numbers in every run. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

describe("the state file", () => {
  it("holds the last state, and nothing before the first", async () => {
    expect(await load()).toEqual({ book: emptyBook, degraded: undefined })
    const file = new StateFile(dir)
    for (const n of [1, 2, 3]) {
      await file.save(book(n))
      expect(await load()).toEqual({ book: book(n), degraded: undefined })
    }
  })

  it("F4: torn at any byte is replaced by the one before, and says so", async () => {
    const file = new StateFile(dir)
    await file.save(book(1))
    await file.save(book(2))
    const whole = await readFile(path())
    for (let length = 0; length < whole.length - 1; length += 7) {
      await truncate(path(), length)
      const { book: found, degraded } = await load()
      expect(generation(found)).toBe(1)
      expect(degraded).toMatch(/damaged.*state\.prev\.json/)
      await writeFile(path(), whole)
    }
    expect(generation((await load()).book)).toBe(2)
  })

  it("F4: with any flipped bit is replaced by the one before", async () => {
    const file = new StateFile(dir)
    await file.save(book(1))
    await file.save(book(2))
    const whole = await readFile(path())
    for (let at = 0; at < whole.length - 1; at += 5) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 0x04
      await writeFile(path(), damaged)
      expect(generation((await load()).book)).toBe(1)
    }
  })

  it("that is damaged never pushes the good one before it out", async () => {
    const first = new StateFile(dir)
    await first.save(book(1))
    await first.save(book(2))
    await writeFile(path(), "damaged")
    const second = new StateFile(dir)
    expect(generation((await second.load()).book)).toBe(1)
    await second.save(book(3))
    await writeFile(path(), "damaged again")
    expect(generation((await load()).book)).toBe(1)
  })

  it("with both copies damaged serves nothing, and says so", async () => {
    const file = new StateFile(dir)
    await file.save(book(1))
    await file.save(book(2))
    await writeFile(path(), "{}")
    await writeFile(path("state.prev.json"), "")
    const { book: found, degraded } = await load()
    expect(found).toEqual(emptyBook)
    expect(degraded).toMatch(/state\.json.*state\.prev\.json.*nothing/)
  })

  it("torn already when it is the first one is there a second time", async () => {
    await new StateFile(dir).save(book(1))
    const whole = await readFile(path())
    for (let length = 0; length < whole.length; length += 11) {
      await truncate(path(), length)
      expect(generation((await load()).book)).toBe(1)
      await writeFile(path(), whole)
    }
  })

  it("after 1,000 writes that were torn anywhere is never empty and never older than the one before", async () => {
    const random = randomOf(4_711)
    const contentOf = async (n: number) => {
      await new StateFile(dir).save(book(n))
      return readFile(path())
    }
    const contents = [await contentOf(1), await contentOf(2), await contentOf(3)]
    const [one = Buffer.of(), two = Buffer.of(), three = Buffer.of()] = contents
    for (let n = 0; n < 1_000; n++) {
      const torn = three.subarray(0, Math.floor(random() * three.length))
      // The steps of a write in their order, and a disk that kept less of the last file than it had promised.
      const [current, previous, beside] = [
        [two, one, torn],
        [two, one, three],
        [two, two, three],
        [torn, two, undefined],
      ][Math.floor(random() * 4)] ?? [two, one, undefined]
      await writeFile(path(), current ?? "")
      await writeFile(path("state.prev.json"), previous ?? "")
      if (beside) await writeFile(path("state.json.new"), beside)
      const found = generation((await load()).book)
      expect([2, 3]).toContain(found)
    }
  })

  it("left half-written beside the last one changes nothing", async () => {
    await new StateFile(dir).save(book(1))
    await writeFile(path("state.json.new"), "half")
    expect(generation((await load()).book)).toBe(1)
    await new StateFile(dir).save(book(2))
    expect(generation((await load()).book)).toBe(2)
  })
})
