import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync } from "node:fs"
import { join } from "node:path"
import type { Clock } from "../ports/clock.ts"
import { answers } from "./server.ts"

export type Supervised = {
  readonly name: string
  /** Where it answers when it lives. */
  readonly socket: string
  /** Its command; started detached, so that it outlives whoever watches it. */
  readonly argv: readonly string[]
  readonly logDir: string
}

/**
 * Keeps a process of ours alive: starts it when nobody answers, patiently when it keeps dying. Resolves after the signal
 * with the one that it began last, while that runs.
 */
export function supervise(what: Supervised, clock: Clock, signal: AbortSignal): Promise<number | undefined> {
  const watch = async () => {
    let pause = 100
    let last: ChildProcess | undefined
    while (!signal.aborted) {
      if (await answers(what.socket)) pause = 100
      else {
        last = begin(what) ?? last
        const deadline = clock.mono() + 3_000
        while (!signal.aborted && clock.mono() < deadline && !(await answers(what.socket)))
          await clock.sleep(30, signal)
        pause = Math.min(pause * 2, 5_000)
      }
      // Not to the beat of all others that died of the same: between a half and all of it.
      await clock.sleep(Math.max(pause * (0.5 + Math.random() / 2), 200), signal)
    }
    return last && last.exitCode === null && last.signalCode === null ? last.pid : undefined
  }
  return watch()
}

function begin(what: Supervised): ChildProcess | undefined {
  mkdirSync(what.logDir, { recursive: true })
  const log = openSync(join(what.logDir, `${what.name}.log`), "a", 0o600)
  const [file, ...args] = what.argv
  try {
    if (!file) return undefined
    const child = spawn(file, args, { detached: true, stdio: ["ignore", log, log] })
    child.on("error", () => undefined)
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}
