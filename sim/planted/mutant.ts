/** A bug that somebody could have made: texts of one file, replaced while it is loaded. */
export type Mutant = {
  readonly name: string
  readonly file: string
  readonly edits: readonly (readonly [find: string, put: string])[]
  /** Why nothing can tell it from the original; such a mutant is counted apart. */
  readonly equivalent?: string
}

/** A mutant of one edit. */
export const one = (name: string, file: string, find: string, put: string): Mutant => ({
  name,
  file,
  edits: [[find, put]],
})
