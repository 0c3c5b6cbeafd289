import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"

/** A part of a log that was shortened since: the bytes from `start` to `end`, counted from the instance's beginning. */
export type Generation = { readonly path: string; readonly start: number; readonly end: number }

/** What an instance's log holds at most when it is shortened: this much, and at least half of it is kept. */
export const mostInstanceLogBytes = 10 * 1024 ** 2
const half = mostInstanceLogBytes / 2
const atOnce = 256 * 1024

/** What was written before the file at `path` begins, as far as it is kept: oldest first. */
export function generationsOf(path: string): readonly Generation[] {
  const prefix = `${basename(path)}.`
  return readdirSync(dirname(path))
    .flatMap((name): readonly Generation[] => {
      const [, start, end] = name.startsWith(prefix)
        ? (/^(\d+)-(\d+)$/.exec(name.slice(prefix.length)) ?? [])
        : []
      return start === undefined || end === undefined
        ? []
        : [{ path: join(dirname(path), name), start: Number(start), end: Number(end) }]
    })
    .sort((a, b) => a.end - b.end)
}

/**
 * Shortens a log that grew past half of what it may hold: what it ends with becomes a generation of its own, older
 * ones go. Whoever writes keeps the same file, opened to append, so it needs no word from us and runs on while no
 * agent does. What it writes in the very moment between the last read and the cut is lost.
 */
export function shorten(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= half) return
  const known = generationsOf(path)
  const base = known.at(-1)?.end ?? 0
  const begun = `${path}.begun`
  const [from, to] = [openSync(path, "r"), openSync(begun, "w", 0o600)]
  // A flood between two looks is not copied: only what is kept of it.
  const start = Math.max(0, size - half)
  let at = start
  try {
    const buffer = Buffer.alloc(atOnce)
    for (let read = -1; read !== 0 && at < size + half; at += read) {
      read = readSync(from, buffer, 0, buffer.length, at)
      writeSync(to, buffer, 0, read)
    }
  } finally {
    closeSync(from)
    closeSync(to)
  }
  renameSync(begun, `${path}.${base + start}-${base + at}`)
  truncateSync(path)
  for (const old of known) rmSync(old.path, { force: true })
}

/** Of a log that begins anew. */
export function forgetGenerations(path: string): void {
  for (const { path: old } of generationsOf(path)) rmSync(old, { force: true })
}
