import type { Log } from "../engine/parts.ts"
import type { Clock } from "../ports/clock.ts"
import { StoreDamaged, StoreFailed } from "../store/errors.ts"
import type { Store } from "../store/store.ts"

const lookEvery = 5_000
const pruneEvery = 3_600_000
/** A start trusts what it checked once; this finds what was changed since. */
const auditEvery = 24 * 3_600_000
const auditPause = 2_000
/** It rests so many times as long as it worked: less than a hundredth of a core, however slow its disk is. */
const auditRest = 120
/** Intervals are what looks were made of; the bundles that decisions rest on are kept for ever. */
const keepIntervalsFor = 14 * 86_400_000
/** Below this much room a build or a rollout could end half-way. */
const leastFree = 256 * 1024 * 1024

export type Housekeeping = {
  /** Why nothing new may start for want of room. */
  readonly room: () => string | undefined
  readonly finished: Promise<unknown>
}

/**
 * Looks after the store: room on its disk, intervals past their time, and a disk that failed, after which this
 * process must end (`gone` is called once): what the kernel dropped cannot be known. So it does when the journal
 * turns out to be another than the one that was written.
 */
export function keepHouse(
  store: Pick<Store, "health" | "pruneIntervals" | "audit">,
  clock: Clock,
  log: Log,
  until: AbortSignal,
  gone: (error: StoreFailed | StoreDamaged) => void,
): Housekeeping {
  let because: string | undefined
  const over = new AbortController()
  const signal = AbortSignal.any([until, over.signal])
  const end = (error: StoreFailed | StoreDamaged): void => {
    over.abort()
    gone(error)
  }
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
        if (error instanceof StoreFailed) return end(error)
        log.warn({}, `housekeeping: ${error instanceof Error ? error.message : String(error)}`)
      }
      await clock.sleep(lookEvery, signal)
    }
  }
  const audit = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        let began = clock.mono()
        await store.audit(async () => {
          await clock.sleep(Math.max(auditPause, (clock.mono() - began) * auditRest), signal)
          signal.throwIfAborted()
          began = clock.mono()
        })
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof StoreFailed || error instanceof StoreDamaged) return end(error)
        log.warn({}, `housekeeping: ${error instanceof Error ? error.message : String(error)}`)
      }
      await clock.sleep(auditEvery, signal)
    }
  }
  return { room: () => because, finished: Promise.all([run(), audit()]) }
}

function sentenceOf(free: number | undefined): string {
  const left = free === undefined ? "little" : `${Math.floor(free / 1024 / 1024)} MiB`
  return (
    `the disk of the store has ${left} left: nothing new is built or started, what runs and rollbacks go on. ` +
    "Free some space; after an emergency start the control plane again, so that it lays its reserve down anew"
  )
}
