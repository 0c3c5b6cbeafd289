import { closeSync, openSync, writeSync } from "node:fs"
import { open, stat } from "node:fs/promises"
import type { LogChunk } from "../ports/agent.ts"
import { type Generation, generationsOf } from "./log-generations.ts"

/** What one job may write; the rest is dropped and said so. */
const mostLogBytes = 10 * 1024 * 1024

/** A log with an end: a flood fills no disk. */
export class LogFile {
  readonly #file: number
  #written = 0
  #cut = false

  constructor(path: string) {
    this.#file = openSync(path, "a", 0o600)
  }

  readonly write = (chunk: Uint8Array): void => {
    if (this.#cut) return
    try {
      this.#append(chunk)
    } catch {
      // A full disk ends the log, not the agent.
      this.#cut = true
    }
  }

  #append(chunk: Uint8Array): void {
    if (this.#written + chunk.length <= mostLogBytes) {
      this.#written += writeSync(this.#file, chunk)
      return
    }
    this.#cut = true
    writeSync(this.#file, chunk.subarray(0, mostLogBytes - this.#written))
    writeSync(this.#file, `\n… output cut at ${mostLogBytes / 1024 / 1024} MB\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/**
 * Reads a log from a byte on, counted from its beginning, also while it is written and after it was shortened.
 * Undefined when there is none.
 */
export async function readLog(
  path: string,
  from: number,
  limit: number,
  ended: boolean,
): Promise<LogChunk | undefined> {
  for (;;) {
    const before = generationsOf(path).at(-1)
    const chunk = await readGeneration(path, before, from, limit, ended)
    // Shortened meanwhile: what was read may stand elsewhere now.
    if (generationsOf(path).at(-1)?.end === before?.end) return chunk
  }
}

async function readGeneration(
  path: string,
  before: Generation | undefined,
  from: number,
  limit: number,
  ended: boolean,
): Promise<LogChunk | undefined> {
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  )
  if (size === undefined) return undefined
  const base = before?.end ?? 0
  const inBefore = before !== undefined && from < base
  const begin = inBefore ? before.start : base
  const end = inBefore ? base : base + size
  const start = Math.min(Math.max(begin, from), end)
  const gone =
    before !== undefined && from < before.start
      ? `… ${before.start - from} bytes before this are no longer kept\n`
      : ""
  const read = await readBytes(inBefore ? before.path : path, start - begin, Math.min(limit, end - start))
  const next = start + read.length
  return { text: gone + read.toString("utf8"), next, ended: ended && next >= base + size }
}

async function readBytes(path: string, at: number, length: number): Promise<Buffer> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  if (!file) return Buffer.alloc(0)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** The last line that says something, for a sentence about a failure. */
export async function lastLine(path: string): Promise<string> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  const chunk = await readLog(path, Math.max(0, size - 4_096), 4_096, true)
  const lines = (chunk?.text ?? "").split("\n").filter((line) => line.trim() !== "")
  return (lines.at(-1) ?? "no output").slice(0, 300)
}
