import { pointOf } from "./hash-point.ts"
import { sha256Point } from "./sha256-point.ts"

/** A point of [0, 1) that a key always has under the same salt; points of many keys lie evenly. */
export type Selection = (salt: string, key: string) => number

/** Every way to choose a side by its name in the table: one file, one line. */
export const selections = { hash: pointOf, sha256: sha256Point } as const satisfies Readonly<
  Record<string, Selection>
>

export type SelectionName = keyof typeof selections

export const isSelection = (name: unknown): name is SelectionName =>
  typeof name === "string" && Object.hasOwn(selections, name)
