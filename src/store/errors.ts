import type { AppName } from "../core/model/ids.ts"

/** Another process has this store open for writing. One control plane writes to one SQLite store. */
export class StoreInUse extends Error {
  override readonly name = "StoreInUse"
  readonly path: string

  constructor(path: string, holder: number | undefined) {
    const who = holder === undefined ? "another process" : `process ${holder}`
    super(
      `the store ${path} is already open for writing by ${who}: one control plane writes to one store. ` +
        "Stop the other one, or give this one a data folder of its own.",
    )
    this.path = path
  }
}

/** The store was written by a newer version, whose tables this one does not know. */
export class StoreTooNew extends Error {
  override readonly name = "StoreTooNew"

  constructor(path: string, found: number, known: number) {
    super(
      `the store ${path} has schema ${found} and this version knows schemas up to ${known}: ` +
        "a newer version wrote it. Start that version again; nothing was changed.",
    )
  }
}

/** Where a stream no longer is what was recorded. */
export type Damage = {
  readonly stream: AppName | undefined
  /** Undefined when the damage cannot be tied to one event. */
  readonly version: number | undefined
  readonly because: string
}

/** What is stored cannot be trusted. Nothing may act on it; it can still be opened read-only. */
export class StoreDamaged extends Error {
  override readonly name = "StoreDamaged"
  readonly damage: Damage

  constructor(path: string, damage: Damage) {
    super(
      `the store ${path} is damaged${where(damage)}: ${damage.because}. Nothing acts on a damaged store. ` +
        "Restore it from a backup; until then it can be read, and what runs keeps running.",
    )
    this.damage = damage
  }
}

/** The disk, or the size that the store is allowed, is used up. What was acknowledged before is kept. */
export class StoreFull extends Error {
  override readonly name = "StoreFull"

  constructor(path: string) {
    super(
      `the disk that holds the store ${path} is full: nothing was written. Free some space and try again.`,
    )
  }
}

/** The database does not answer, or not in time. What was asked of it last may still happen. */
export class StoreUnreachable extends Error {
  override readonly name = "StoreUnreachable"

  constructor(path: string, because: string, cause: unknown) {
    super(
      `the store ${path} cannot be reached: ${because}. What runs keeps running; nothing is changed until it answers.`,
      { cause },
    )
  }
}

/** A write to a store that was opened read-only. */
export class StoreReadOnly extends Error {
  override readonly name = "StoreReadOnly"

  constructor(path: string) {
    super(`the store ${path} is open read-only: nothing was written.`)
  }
}

/**
 * The disk failed while writing. Whether the last write is durable is not known, and after a failed fsync
 * the kernel may have dropped it: the process must end and open the store anew.
 */
export class StoreFailed extends Error {
  override readonly name = "StoreFailed"

  constructor(path: string, because: string) {
    super(
      `the disk failed under the store ${path}: ${because}. This process must not go on with it: ` +
        "look at the disk, then start again; the store is checked when it opens.",
    )
  }
}

function where({ stream, version }: Damage): string {
  if (stream === undefined) return ""
  return version === undefined ? ` in ${stream}` : ` at version ${version} of ${stream}`
}
