import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, it } from "vitest"

const root = join(import.meta.dirname, "..")

async function* tests(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* tests(path)
    else if (entry.name.endsWith(".test.ts")) yield await readFile(join(root, path), "utf8")
  }
}

it("each of the 68 edge cases has a test with its number in its name", async () => {
  const found = new Set<number>()
  for (const folder of ["src", "sim", "test"])
    for await (const text of tests(folder))
      for (const [, number] of text.matchAll(/^\s*(?:it\(|it\.each\(.*|)["'`]E(\d+): /gm))
        found.add(Number(number))
  const missing = Array.from({ length: 68 }, (_, i) => i + 1).filter((number) => !found.has(number))
  expect(missing).toEqual([])
})
