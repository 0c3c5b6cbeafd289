import { existsSync } from "node:fs"
import type { Log } from "../engine/parts.ts"
import type { Clock } from "../ports/clock.ts"
import type { Killed, KillSwitch } from "../ports/kill-switch.ts"

/** How soon another control plane's switch is heard of. */
const lookEvery = 1_000

/** The kill switch as this control plane knows it without asking: the file beside it, and the row that all share. */
export type WatchedKillSwitch = {
  /** Why nothing is changed, in sentences; empty while everything goes on. */
  readonly because: () => readonly string[]
  readonly set: (by: string, reason: string) => Promise<void>
  readonly lift: (by: string, reason: string) => Promise<void>
  readonly finished: Promise<void>
}

/**
 * Reads the row before it resolves, then every second until the signal. While the store does not answer, the last
 * answer holds: nothing can be decided then anyway.
 */
export async function watchKillSwitch(
  row: KillSwitch,
  file: string,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<WatchedKillSwitch> {
  let killed: Killed | undefined = await row.read()
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(lookEvery, signal)
      if (signal.aborted) return
      // What is wrong with the store is said by who needs it more.
      const now = await row.read().catch(() => killed)
      if ((now === undefined) !== (killed === undefined))
        log.warn({ part: "kill switch", ...now }, now ? "it is set" : "it is lifted")
      killed = now
    }
  }
  return {
    because: () => [
      ...(killed === undefined ? [] : [sentenceOf(killed)]),
      ...(existsSync(file) ? [`the file ${file} is there; remove it to go on`] : []),
    ],
    async set(by, reason) {
      await row.set(by, reason)
      killed = await row.read()
      log.warn({ part: "kill switch", by, reason }, "it is set by an order")
    },
    async lift(by, reason) {
      await row.lift()
      killed = undefined
      log.warn({ part: "kill switch", by, reason }, "it is lifted by an order")
    },
    finished: run(),
  }
}

const sentenceOf = ({ by, at, reason }: Killed): string =>
  `set by ${by} at ${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC: ${reason}`
