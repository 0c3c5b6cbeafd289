import type { MadeWorldName } from "./made-worlds.ts"

/** A bug that somebody could have made: texts of one file, replaced while it is loaded. */
export type Mutant = {
  readonly name: string
  readonly file: string
  readonly edits: readonly (readonly [find: string, put: string])[]
  /** What a world must have for the bug to matter, as texts of its JSON; other worlds are not tried. */
  readonly needs?: readonly string[] | undefined
  /** Worlds of made-worlds.ts that were made for it. */
  readonly worlds?: readonly MadeWorldName[]
  /** Why nothing can tell it from the original; such a mutant is counted apart. */
  readonly equivalent?: string
}

/** A mutant of one edit. */
export const one = (
  name: string,
  file: string,
  find: string,
  put: string,
  ...needs: readonly string[]
): Mutant => ({ name, file, edits: [[find, put]], needs })

/** The same, with worlds that were made for it: they are tried first. */
export const metIn = (mutant: Mutant, ...worlds: readonly MadeWorldName[]): Mutant => ({ ...mutant, worlds })

/** The same, with the reason why nothing can tell it from the original. */
export const equivalent = (mutant: Mutant, because: string): Mutant => ({ ...mutant, equivalent: because })
