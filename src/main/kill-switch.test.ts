import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Killed } from "../ports/kill-switch.ts"
import { systemClock } from "../providers/clock/system.ts"
import { watchKillSwitch } from "./kill-switch.ts"

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
/** A second is none here. */
const clock = {
  ...systemClock,
  sleep: (_forMs: number, signal?: AbortSignal) => systemClock.sleep(1, signal),
}

let row: Killed | undefined
let dead = false
const shared = {
  read: async () => {
    if (dead) throw new Error("the store does not answer")
    return row
  },
  set: async (by: string, reason: string) => {
    row ??= { by, at: 0, reason }
  },
  lift: async () => {
    row = undefined
  },
}

let folder: string
let ending: AbortController
const watched: { readonly finished: Promise<void> }[] = []
const plane = async (name: string) => {
  const one = await watchKillSwitch(shared, join(folder, name), clock, log, ending.signal)
  watched.push(one)
  return one
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-kill-"))
  ending = new AbortController()
  row = undefined
  dead = false
})
afterEach(async () => {
  ending.abort()
  await Promise.all(watched.splice(0).map(({ finished }) => finished))
  rmSync(folder, { recursive: true, force: true })
})

const soon = (what: () => void) => expect.poll(what, { timeout: 30_000 })

describe("the kill switch", () => {
  it("that is set at one control plane reaches all of them, those that start later included, until it is lifted", async () => {
    const [one, two] = [await plane("one"), await plane("two")]
    expect([one.because(), two.because()]).toEqual([[], []])
    await one.set("Mira", "something is odd")
    const said = ["set by Mira at 1970-01-01 00:00:00 UTC: something is odd"]
    expect(one.because()).toEqual(said)
    await soon(() => two.because()).toEqual(said)
    expect((await plane("three")).because()).toEqual(said)
    await two.lift("Ben", "it was nothing")
    expect(two.because()).toEqual([])
    await soon(() => one.because()).toEqual([])
  })

  it("stays as it was while the store does not answer", async () => {
    const one = await plane("one")
    await one.set("Mira", "odd")
    dead = true
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(one.because()).toHaveLength(1)
  })

  it("is a file as well, for one control plane alone and with everything else dead", async () => {
    const [one, two] = [await plane("one"), await plane("two")]
    writeFileSync(join(folder, "one"), "")
    expect(one.because()).toEqual([expect.stringContaining("remove it")])
    expect(two.because()).toEqual([])
  })
})
