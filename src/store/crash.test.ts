import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import { openStore, type Store } from "./store.ts"

const clock: Clock = { now: () => 0, mono: () => 0, sleep: async () => {} }

/** Appends for ever and says each acknowledged version; FAILPOINT=<point>:<version> ends it exactly there. */
const script = `
import { writeSync } from "node:fs"
import { openStore } from ${JSON.stringify(new URL("./store.ts", import.meta.url).href)}
const clock = { now: () => Date.now(), mono: () => performance.now(), sleep: async () => {} }
const onPersisted = (point, version) => {
  if (process.env.FAILPOINT === point + ":" + version) process.kill(process.pid, "SIGKILL")
}
const store = await openStore({ path: process.argv[1], clock, onPersisted })
const lease = await store.leases.acquire("app/papi", "child", 1e9)
let version = (await store.journal.read("papi", 0)).length
for (;;) {
  const events = [{ at: 1, by: "eva", because: "x".repeat(version % 3000), event: { type: "app-paused", reason: "r" } }]
  const notice = { to: "t", id: "n" + version, at: 1, app: "papi", type: "x", text: "", data: null }
  const outcome = await store.journal.append({ stream: "papi", expected: version, epoch: lease.epoch, events,
    command: { id: "c" + (version + 1), result: version + 1 }, outbox: [notice] })
  if (outcome.kind !== "appended") throw new Error(outcome.kind)
  version += 1
  writeSync(1, version + "\\n")
}`

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-crash-"))
  path = join(folder, "immunity.db")
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the loop until it dies; the last version that it acknowledged. */
async function runUntilKilled(options: { failpoint?: string; acks?: number }): Promise<number> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, FAILPOINT: options.failpoint ?? "" },
  })
  let said = ""
  child.stdout.on("data", (chunk) => {
    said += String(chunk)
    if (options.acks !== undefined && said.split("\n").length > options.acks) child.kill("SIGKILL")
  })
  const signal = await new Promise((resolve) => child.once("close", (_, by) => resolve(by)))
  expect(signal).toBe("SIGKILL")
  // The last line may be cut by the kill; only whole lines are acknowledgements.
  return Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1) ?? 0)
}

const reopened = async (look: (store: Store) => Promise<void>): Promise<void> => {
  const store = await openStore({ path, clock })
  try {
    await look(store)
  } finally {
    await store.close()
  }
}

describe("a writer that is killed", () => {
  it("loses nothing that it acknowledged, 20 times over, and leaves a chain that holds", {
    timeout: 300_000,
  }, async () => {
    for (let kill = 0; kill < 20; kill++) {
      const acknowledged = await runUntilKilled({ acks: 1 + ((kill * 37) % 101) })
      // Opening checks the whole chain.
      await reopened(async ({ journal }) => {
        const events = await journal.read("papi", 0)
        expect(events.length).toBeGreaterThanOrEqual(acknowledged)
        // At most the one commit that was under way is there without having been acknowledged.
        expect(events.length).toBeLessThanOrEqual(acknowledged + 1)
        expect(await journal.outbox(1, 1_000_000)).toHaveLength(events.length)
        expect(await journal.commandResult(`c${events.length}`)).toBe(events.length)
        expect(await journal.commandResult(`c${events.length + 1}`)).toBeUndefined()
      })
    }
  })

  it("has written nothing right before the commit, and all of it right after", async () => {
    await runUntilKilled({ failpoint: "before-append:5" })
    await reopened(async ({ journal }) => {
      expect(await journal.read("papi", 0)).toHaveLength(4)
      expect(await journal.commandResult("c5")).toBeUndefined()
      expect(await journal.outbox(1, 100)).toHaveLength(4)
    })
    await runUntilKilled({ failpoint: "after-append:6" })
    await reopened(async ({ journal }) => {
      expect(await journal.read("papi", 0)).toHaveLength(6)
      expect(await journal.commandResult("c6")).toBe(6)
      expect(await journal.outbox(1, 100)).toHaveLength(6)
    })
  })
})
