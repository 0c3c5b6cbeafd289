import { registerHooks } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Mutant } from "./mutant.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** From now on the mutant's file is loaded with its bug in it; nothing on disk changes. Throws when it no longer fits. */
export function plant(mutant: Mutant): void {
  const url = pathToFileURL(root + mutant.file).href
  registerHooks({
    load(asked, context, next) {
      const loaded = next(asked, context)
      if (asked !== url || loaded.source === undefined || loaded.source === null) return loaded
      const text = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source)
      return { ...loaded, source: withBug(mutant, text) }
    },
  })
}

/** Its file's text with the bug in it. Throws when it no longer fits. */
export const withBug = ({ name, edits }: Mutant, text: string): string =>
  edits.reduce((done, [find, put]) => replaced(name, done, find, put), text)

function replaced(name: string, text: string, find: string, put: string): string {
  const parts = text.split(find)
  if (parts.length !== 2)
    throw new Error(
      `mutant "${name}": its text is there ${parts.length - 1} times instead of once. Change sim/planted/mutants.ts with the code: ${find}`,
    )
  return parts.join(put)
}
