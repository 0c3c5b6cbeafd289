import { beforeEach, describe, expect, it } from "vitest"
import type { Container, Containers } from "../../ports/containers.ts"
import { EngineWord } from "./engine-word.ts"

const signal = new AbortController().signal

const container = (name: string): Container => ({
  id: name,
  name,
  image: `sha256:${"0".repeat(64)}`,
  state: "running",
  startedAt: 0,
  pid: 1,
  address: undefined,
  exitCode: undefined,
  outOfMemory: false,
  memoryLimit: undefined,
})

describe("what an engine says of its containers", () => {
  let now: number
  /** Each question that the engine has not answered yet. */
  let asked: { readonly answer: (names: readonly string[]) => void; readonly refuse: () => void }[]
  let questions: number
  let word: EngineWord

  beforeEach(() => {
    now = 0
    asked = []
    questions = 0
    const list = () => {
      questions++
      return new Promise<readonly Container[]>((resolve, reject) => {
        asked.push({
          answer: (names) => resolve(names.map(container)),
          refuse: () => reject(new Error("the engine does not answer")),
        })
      })
    }
    const clock = { now: () => now, mono: () => now, sleep: async () => undefined }
    word = new EngineWord({ list } as Partial<Containers> as Containers, clock)
  })

  const names = (containers: readonly Container[] | undefined) => containers?.map(({ name }) => name)

  it("is asked for once by all who want to know at the same time", async () => {
    const all = [word.now(signal), word.now(signal), word.now(signal)]
    asked[0]?.answer(["a"])
    for (const one of all) expect(names(await one)).toEqual(["a"])
    expect(questions).toBe(1)
  })

  it("is good for a second", async () => {
    const first = word.now(signal)
    asked[0]?.answer(["a"])
    await first
    now = 999
    expect(names(word.recent)).toEqual(["a"])
    now = 1_000
    expect(word.recent).toBeUndefined()
  })

  it("is old once an order was carried out, and whoever asks then does not get an answer from before", async () => {
    const before = word.now(signal)
    await word.change(async () => undefined)
    const after = word.now(signal)
    asked[1]?.answer(["a", "b"])
    expect(names(await after)).toEqual(["a", "b"])
    asked[0]?.answer(["a"])
    await before
    expect(names(word.recent)).toEqual(["a", "b"])
  })

  it("is old also once an order failed, as nobody knows how far it came", async () => {
    const first = word.now(signal)
    asked[0]?.answer(["a"])
    await first
    await expect(word.change(() => Promise.reject(new Error("lost")))).rejects.toThrow("lost")
    expect(word.recent).toBeUndefined()
  })

  it("holds while the engine does not answer, and where it never said anything, that is told", async () => {
    const never = word.now(signal)
    asked[0]?.refuse()
    await expect(never).rejects.toThrow("the engine does not answer")
    const first = word.now(signal)
    asked[1]?.answer(["a"])
    await first
    now = 5_000
    const silent = word.now(signal)
    asked[2]?.refuse()
    expect(names(await silent)).toEqual(["a"])
  })

  it("is waited for by those who have patience; who gives up takes it from nobody", async () => {
    const patience = new AbortController()
    const hasty = word.now(patience.signal)
    const patient = word.now(signal)
    patience.abort(new Error("no patience"))
    await expect(hasty).rejects.toThrow("no patience")
    asked[0]?.answer(["a"])
    expect(names(await patient)).toEqual(["a"])
  })
})
