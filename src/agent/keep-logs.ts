import { readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import type { InstanceId } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import { forgetGenerations, shorten } from "./log-generations.ts"

/** How long the log of an instance is kept after its last line. */
export const instanceLogsKept: Duration = 7 * 86_400_000

/** Between two looks for logs of instances that ended long ago. */
const forgetEvery: Duration = 3_600_000

/** Bounds what the logs of instances take. Never throws: a full or sick disk ends no agent. */
export class KeepLogs {
  readonly #folder: string
  /** Whether a log is a job's, which has an end of its own. */
  readonly #ofJob: (id: string) => boolean
  #forgotAt = Number.NEGATIVE_INFINITY

  constructor(folder: string, ofJob: (id: string) => boolean) {
    this.#folder = folder
    this.#ofJob = ofJob
  }

  /** Each that runs keeps its newest output; the logs of those that ended long ago go. */
  look(running: readonly InstanceId[], now: Instant): void {
    for (const id of running) quietly(() => shorten(join(this.#folder, `${id}.log`)))
    if (now - this.#forgotAt < forgetEvery) return
    this.#forgotAt = now
    quietly(() => this.#forget(new Set(running), now - instanceLogsKept))
  }

  #forget(running: ReadonlySet<InstanceId>, before: Instant): void {
    for (const name of readdirSync(this.#folder)) {
      const id = name.endsWith(".log") ? name.slice(0, -".log".length) : undefined
      if (id === undefined || running.has(id) || this.#ofJob(id)) continue
      const path = join(this.#folder, name)
      if (statSync(path).mtimeMs >= before) continue
      forgetGenerations(path)
      rmSync(path, { force: true })
    }
  }
}

function quietly(act: () => void): void {
  try {
    act()
  } catch {
    // Tried again at the next look.
  }
}
