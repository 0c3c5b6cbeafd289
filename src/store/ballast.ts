import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs"
import { statfs } from "node:fs/promises"
import { dirname } from "node:path"

const size = 16 * 1024 * 1024

/**
 * 16 MiB kept beside the store for the day on which the disk is full: SQLite can then not even delete. Given
 * up, it leaves room for the decisions of a rollback. It comes back when the store is next opened with room.
 */
export type Ballast = {
  readonly state: () => "kept" | "spent"
  /** Gives the room back to the disk; false when it was spent before. */
  readonly drop: () => boolean
}

/** No ballast: for a store in memory or one that is only read. */
export const noBallast: Ballast = { state: () => "spent", drop: () => false }

/**
 * Lays the ballast down unless it is there or the disk has little room for it; gives it up at once on a disk
 * that is too full to open a database.
 */
export async function keepBallast(storePath: string): Promise<Ballast> {
  const path = `${storePath}.ballast`
  const free = await freeBytes(path)
  if (sizeOf(path) !== size && free > 4 * size) fill(path)
  if (free < size / 16) rmSync(path, { force: true })
  return {
    state: () => (sizeOf(path) === size ? "kept" : "spent"),
    drop: () => {
      const kept = sizeOf(path) > 0
      rmSync(path, { force: true })
      return kept
    },
  }
}

/** Bytes that this user may still write on the disk of a path. */
export async function freeBytes(path: string): Promise<number> {
  const disk = await statfs(dirname(path))
  return disk.bavail * disk.bsize
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function fill(path: string): void {
  const file = openSync(path, "w", 0o600)
  try {
    // Written out, not only sized: a sparse file holds no room.
    const block = Buffer.alloc(1024 * 1024)
    for (let written = 0; written < size; written += block.length) writeSync(file, block)
    fsyncSync(file)
  } catch {
    rmSync(path, { force: true })
  } finally {
    closeSync(file)
  }
}
