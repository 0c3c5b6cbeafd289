import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { foldersIn } from "./folders.ts"

it("a data folder that cannot be made is told with what is in its way", () => {
  const file = join(mkdtempSync(join(tmpdir(), "immunity-folders-")), "notes.txt")
  writeFileSync(file, "mine\n")
  for (const folder of [file, join(file, "server")])
    expect(() => foldersIn(folder)).toThrow(`${folder} cannot be made: a file is in its place. Name a folder`)
})

it("a data folder below one in which nobody can make any is refused, and does not hang", () => {
  for (const folder of ["/proc/immunity/server", "/proc/immunity"])
    expect(() => foldersIn(folder)).toThrow(`${folder} cannot be made: `)
})
