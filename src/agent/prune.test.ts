import { existsSync, mkdirSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Digest } from "../core/model/ids.ts"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import { systemClock } from "../providers/clock/system.ts"
import { type ArtifactFolder, artifactFolder, discard, sizeOfArtifacts } from "./artifacts.ts"
import { Memory } from "./memory.ts"
import { prune } from "./prune.ts"

describe("pruning a server", () => {
  let dir: string
  let artifacts: ArtifactFolder
  let memory: Memory

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "immunity-prune-"))
    artifacts = artifactFolder(join(dir, "artifacts"))
    memory = await Memory.open(dir)
  })
  afterEach(() => discard(dir))

  const keep = (app: string, ...list: readonly Digest[]) =>
    prune({ memory, artifacts, clock: systemClock }, app, list)
  const file = (digest: Digest) => join(dir, "artifacts", `${digest.slice(7)}.json`)
  const age = (digest: Digest, minutes: number) => {
    const at = Date.now() / 1_000 - minutes * 60
    utimesSync(file(digest), at, at)
  }

  /** Built for somebody, an hour ago. */
  const built = async (text: string, ...apps: readonly string[]): Promise<Digest> => {
    const tree = mkdtempSync(join(dir, "tree-"))
    mkdirSync(join(tree, "lib"))
    writeFileSync(join(tree, "lib", "papi.json"), text)
    const { digest } = await artifacts.add(tree)
    for (const app of apps) await memory.owns(app, [digest])
    age(digest, 60)
    return digest
  }

  it("removes what is not on the list, says what that freed, and leaves nothing of it", async () => {
    const [old, serving] = [await built("12345", "papi"), await built("serves", "papi")]
    expect(await sizeOfArtifacts(join(dir, "artifacts"))).toEqual({ count: 2, bytes: 11 })
    expect(await keep("papi", serving)).toEqual({ kind: "done", removed: 1, bytes: 5, left: 0 })
    expect([await artifacts.has(old), await artifacts.has(serving)]).toEqual([false, true])
    expect(readdirSync(join(dir, "artifacts")).sort()).toEqual(
      [serving.slice(7), `${serving.slice(7)}.json`].sort(),
    )
    // Once more changes nothing, and so does the agent that comes after.
    memory = await Memory.open(dir)
    expect(await keep("papi", serving)).toEqual({ kind: "done", removed: 0, bytes: 0, left: 0 })
  })

  it("leaves what another application has too, until that one keeps it no longer", async () => {
    const shared = await built("shared", "papi", "mami")
    const [one, two] = [await built("one", "papi"), await built("two", "mami")]
    expect(await keep("papi", one)).toMatchObject({ removed: 0 })
    expect(await artifacts.has(shared)).toBe(true)
    expect(await keep("mami", two)).toMatchObject({ removed: 1 })
    expect([await artifacts.has(shared), await artifacts.has(one)]).toEqual([false, true])
  })

  it("leaves what nobody's order brought, and files of others", async () => {
    const foreign = await built("foreign")
    const serving = await built("serves", "papi")
    writeFileSync(join(dir, "artifacts", "notes.txt"), "mine")
    await keep("papi", serving)
    expect(await artifacts.has(foreign)).toBe(true)
    expect(existsSync(join(dir, "artifacts", "notes.txt"))).toBe(true)
  })

  it("learns from the list whose it is what came before owners were written down", async () => {
    const [old, serving] = [await built("old"), await built("serves")]
    await keep("papi", old, serving)
    expect(await keep("papi", serving)).toMatchObject({ removed: 1 })
    expect(await artifacts.has(old)).toBe(false)
  })

  it("leaves what an instance is recorded with, and takes it when that is gone", async () => {
    const [used, serving] = [await built("used", "papi"), await built("serves", "papi")]
    await memory.starts("papi", { id: "papi-prod-1", digest: used } as unknown as InstanceSpec)
    expect(await keep("papi", serving)).toMatchObject({ removed: 0, left: 1 })
    await memory.gone("papi-prod-1")
    expect(await keep("papi", serving)).toMatchObject({ removed: 1, left: 0 })
  })

  it("leaves what was built a moment ago, also when it was built before and is built again", async () => {
    const serving = await built("serves", "papi")
    const again = await built("again", "papi")
    expect(await built("again", "papi")).toBe(again)
    age(again, 1)
    expect(await keep("papi", serving)).toMatchObject({ removed: 0, left: 1 })
    age(again, 11)
    expect(await keep("papi", serving)).toMatchObject({ removed: 1, left: 0 })
  })

  it("a crash in the middle of a removal is cleared up by the next one", async () => {
    const [old, serving] = [await built("old", "papi"), await built("serves", "papi")]
    const going = join(dir, "artifacts", `${old.slice(7)}.gone`)
    mkdirSync(going)
    writeFileSync(join(going, "half"), "left over")
    expect(await keep("papi", serving)).toMatchObject({ removed: 1 })
    expect(existsSync(going)).toBe(false)
  })

  it("one that cannot be removed keeps no other", async () => {
    const [one, two] = [await built("one", "papi"), await built("two", "papi")]
    const serving = await built("serves", "papi")
    const failing = {
      has: artifacts.has,
      remove: (digest: Digest, before: number) =>
        digest === one ? Promise.reject(new Error("the disk is broken")) : artifacts.remove(digest, before),
    }
    await expect(
      prune({ memory, artifacts: failing, clock: systemClock }, "papi", [serving]),
    ).rejects.toThrow("the disk is broken")
    expect([await artifacts.has(one), await artifacts.has(two)]).toEqual([true, false])
    expect(await keep("papi", serving)).toMatchObject({ removed: 1 })
  })
})
