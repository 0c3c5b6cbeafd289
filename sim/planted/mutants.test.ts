import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { withBug } from "./load-mutated.ts"
import { mutants } from "./mutants.ts"

it("every planted bug still fits the code that it is planted in", () => {
  const stale = mutants.flatMap((mutant) => {
    try {
      withBug(mutant, readFileSync(mutant.file, "utf8"))
      return []
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)]
    }
  })
  expect(stale).toEqual([])
})
