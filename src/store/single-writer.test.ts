import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import { StoreInUse } from "./errors.ts"
import { openStore, type Store } from "./store.ts"

const clock: Clock = { now: () => 0, mono: () => 0, sleep: async () => {} }

let folder: string
let path: string
const opened: Store[] = []
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-writer-"))
  path = join(folder, "immunity.db")
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  for (const store of opened.splice(0)) await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const open = async (): Promise<Store> => {
  const store = await openStore({ path, clock })
  opened.push(store)
  return store
}
const closed = async (): Promise<void> => {
  for (const store of opened.splice(0)) await store.close()
}

/** Opens the store for writing, takes a lease, and stays until it is killed. */
const script = `
import { openStore } from ${JSON.stringify(new URL("./store.ts", import.meta.url).href)}
const clock = { now: () => 0, mono: () => 0, sleep: async () => {} }
const store = await openStore({ path: process.argv[1], clock })
const lease = await store.leases.acquire("app/papi", "dead", 1e9)
console.log(lease.epoch)
setInterval(() => {}, 1e6)`

async function writerElsewhere(): Promise<{ pid: number; epoch: string; kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  children.push(child)
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const epoch = await new Promise<string>((resolve) =>
    child.stdout.once("data", (chunk) => resolve(String(chunk).trim())),
  )
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL")
    await exited
  }
  return { pid: child.pid ?? 0, epoch, kill }
}

describe("the only writer of a store", () => {
  it("keeps a second one in another process out until it is killed, and its lease is free at once", async () => {
    const writer = await writerElsewhere()
    expect(writer.epoch).toBe("1")
    await expect(open()).rejects.toThrow(`process ${writer.pid}`)
    await writer.kill()
    // The epoch of the dead process is never given again.
    const store = await open()
    expect(await store.leases.acquire("app/papi", "two", 8_000)).toEqual({ key: "app/papi", epoch: 2 })
  })

  it("gets in although a kill tore the lock, which then keeps others out as before", async () => {
    await open()
    await closed()
    const lock = `${path}.lock`
    const whole = readFileSync(lock)
    // Cut between its two pages is what a kill leaves; the others are what a power cut or a stranger may.
    for (const bytes of [whole.subarray(0, 4_096), whole.subarray(0, 99), Buffer.alloc(9_000, "x")]) {
      writeFileSync(lock, bytes)
      await open()
      await expect(open()).rejects.toThrow(`process ${process.pid}`)
      await closed()
    }
  })

  it("keeps the lock while it lives, even when the lock's file is torn under it", async () => {
    const writer = await writerElsewhere()
    truncateSync(`${path}.lock`, 4_096)
    await expect(open()).rejects.toThrow(StoreInUse)
    await expect(open()).rejects.toThrow(StoreInUse)
    await writer.kill()
    await open()
  })

  it("is told which file is in the way when the lock cannot be taken", async () => {
    mkdirSync(`${path}.lock`)
    await expect(open()).rejects.toThrow(/its lock .*immunity\.db\.lock cannot be taken: .*Check that it is/)
  })
})
