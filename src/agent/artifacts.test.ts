import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { afterEach, beforeEach, expect, it } from "vitest"
import { artifactFolder, discard } from "./artifacts.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-artifacts-"))
  mkdirSync(join(folder, "tree", "bin"), { recursive: true })
  writeFileSync(join(folder, "tree", "bin", "run"), "#!/bin/sh\n", { mode: 0o755 })
  writeFileSync(join(folder, "tree", "page.html"), "hello")
  symlinkSync("page.html", join(folder, "tree", "index.html"))
})
afterEach(async () => {
  await discard(folder)
  rmSync(folder, { recursive: true, force: true })
})

it("an artifact comes to another server as what it is", async () => {
  const [here, there] = [artifactFolder(join(folder, "here")), artifactFolder(join(folder, "there"))]
  const { digest } = await here.add(join(folder, "tree"))
  expect(await there.has(digest)).toBe(false)
  await there.unpack(digest, await here.pack(digest))
  expect(await there.has(digest)).toBe(true)
  expect(await there.manifest(digest)).toEqual(await here.manifest(digest))
  await there.copy(digest, join(folder, "copy"))
})

it("what is not what its digest says, or is broken, is not taken for it", async () => {
  const [here, there] = [artifactFolder(join(folder, "here")), artifactFolder(join(folder, "there"))]
  const { digest } = await here.add(join(folder, "tree"))
  writeFileSync(join(folder, "tree", "page.html"), "something else")
  const other = await here.add(join(folder, "tree"))
  await expect(there.unpack(digest, await here.pack(other.digest))).rejects.toThrow(`and not ${digest}`)
  await expect(there.unpack(digest, Readable.from([Buffer.from("no tar at all")]))).rejects.toThrow(
    "unpacked",
  )
  expect(await there.has(digest)).toBe(false)
  await expect(there.pack(digest)).rejects.toThrow("there is no artifact")
})
