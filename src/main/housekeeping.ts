import type { Log } from "../engine/parts.ts"
import type { Clock } from "../ports/clock.ts"
import { StoreFailed } from "../store/errors.ts"
import type { Store } from "../store/store.ts"

const lookEvery = 5_000
const pruneEvery = 3_600_000
/** Intervals are what looks were made of; the bundles that decisions rest on are kept for ever. */
const keepIntervalsFor = 14 * 86_400_000
/** Below this much room a build or a rollout could end half-way. */
const leastFree = 256 * 1024 * 1024

export type Housekeeping = {
  /** Why nothing new may start for want of room. */
  readonly room: () => string | undefined
  readonly finished: Promise<void>
}

/**
 * Looks after the store: room on its disk, intervals past their time, and a disk that failed, after which this
 * process must end (`gone` is called once): what the kernel dropped cannot be known.
 */
export function keepHouse(
  store: Pick<Store, "health" | "pruneIntervals">,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
  gone: (error: StoreFailed) => void,
): Housekeeping {
  let because: string | undefined
  const look = async (): Promise<void> => {
    const { ballast, diskFree } = await store.health()
    const low = diskFree !== undefined && diskFree < leastFree
    because = low || ballast === "spent" ? sentenceOf(diskFree) : undefined
  }
  const run = async (): Promise<void> => {
    let pruneAt = clock.mono()
    while (!signal.aborted) {
      try {
        await look()
        if (clock.mono() >= pruneAt) {
          pruneAt = clock.mono() + pruneEvery
          const pruned = await store.pruneIntervals(clock.now() - keepIntervalsFor)
          if (pruned > 0) log.info({ pruned }, "intervals past their time were forgotten")
        }
      } catch (error) {
        if (error instanceof StoreFailed) return gone(error)
        log.warn({}, `housekeeping: ${error instanceof Error ? error.message : String(error)}`)
      }
      await clock.sleep(lookEvery, signal)
    }
  }
  return { room: () => because, finished: run() }
}

function sentenceOf(free: number | undefined): string {
  const left = free === undefined ? "little" : `${Math.floor(free / 1024 / 1024)} MiB`
  return (
    `the disk of the store has ${left} left: nothing new is built or started, what runs and rollbacks go on. ` +
    "Free some space; after an emergency start the control plane again, so that it lays its reserve down anew"
  )
}
