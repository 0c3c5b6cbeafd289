import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import { StoreFull } from "./errors.ts"
import { openStore } from "./store.ts"

const clock: Clock = { now: () => 0, mono: () => 0, sleep: async () => {} }
const folder = mkdtempSync(join(tmpdir(), "immunity-full-"))

/** A disk of 80 MiB of its own; only root may make one. */
const mounted = ((): boolean => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=80m", "tmpfs", folder], { stdio: "ignore" })
    return true
  } catch {
    console.warn(
      "SKIPPED: the full-disk test needs the right to mount a tmpfs (root); nothing was proved about it.",
    )
    return false
  }
})()

afterAll(() => {
  if (mounted) execFileSync("umount", [folder])
  rmSync(folder, { recursive: true, force: true })
})

const fill = (): void => {
  for (;;) {
    const { bavail, bsize } = statfsSync(folder)
    if (bavail === 0) return
    try {
      writeFileSync(join(folder, `filler-${Math.random()}`), Buffer.alloc(Math.min(bavail * bsize, 1 << 20)))
    } catch {
      return
    }
  }
}

describe.skipIf(!mounted)("a store on a full disk", () => {
  it("lives on its ballast for decisions, then refuses, and loses nothing", async () => {
    const path = join(folder, "immunity.db")
    const store = await openStore({ path, clock })
    const epoch = (await store.leases.acquire("app/papi", "one", 8_000))?.epoch ?? 0
    let version = 0
    const append = async (because: string): Promise<void> => {
      const outcome = await store.journal.append({
        stream: "papi",
        expected: version,
        epoch,
        events: [{ at: 1, by: "eva", because, event: { type: "app-paused", reason: "r" } }],
        outbox: [],
      })
      if (outcome.kind !== "appended") throw new Error(outcome.kind)
      version += 1
    }
    await append("with room")
    expect((await store.health()).ballast).toBe("kept")
    fill()

    // The ballast is for decisions: other writes are refused and leave it alone.
    const measure = async (): Promise<void> => {
      for (let from = 0; ; from += 5)
        await store.evidence.addInterval({ app: "papi", epoch }, 7, {
          stage: "shifting",
          step: 0,
          from,
          to: from + 5,
          judged: true,
          measurements: Array.from({ length: 50 }, () => ({ metric: "m".repeat(1_000), from, to: from + 5 })),
        })
    }
    await expect(measure()).rejects.toThrow(StoreFull)
    expect((await store.health()).ballast).toBe("kept")

    const large = "x".repeat(500_000)
    while ((await store.health()).ballast === "kept") await append(large)
    await append("a rollback on the ballast's room")
    const acknowledged = version
    fill()
    await expect(
      (async () => {
        for (;;) await append(large)
      })(),
    ).rejects.toThrow(StoreFull)
    expect(await store.journal.read("papi", 0)).toHaveLength(version)
    expect(version).toBeGreaterThanOrEqual(acknowledged)
    await store.close()

    // A restart on the full disk still opens; with room again it writes and lays the ballast down anew.
    const full = await openStore({ path, clock }).catch((error: unknown) => error)
    if (full instanceof Error) expect(full).toBeInstanceOf(StoreFull)
    else await (full as Awaited<ReturnType<typeof openStore>>).close()
    execFileSync("sh", ["-c", 'rm -f "$0"/filler-*', folder])
    const again = await openStore({ path, clock })
    expect(await again.journal.read("papi", 0)).toHaveLength(version)
    expect((await again.health()).damage).toBeUndefined()
    await again.close()
  })
})
