import type { AppName, Digest } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Pruned } from "../ports/agent.ts"
import type { TravellingArtifacts } from "../ports/artifacts.ts"
import type { Clock } from "../ports/clock.ts"
import type { Jobs } from "./jobs.ts"
import type { Memory } from "./memory.ts"

/** What just came may be meant for a decision that its list does not know yet. */
const youngest: Duration = 600_000

type PruneParts = {
  readonly memory: Memory
  readonly artifacts: Pick<TravellingArtifacts, "has" | "remove">
  readonly clock: Clock
}

/**
 * Removes what an application had built or brought here and keeps no longer. What is on its list and here counts as
 * its own from then on, also when it came before owners were written down. What cannot be removed keeps nothing else;
 * the first reason is thrown at the end.
 */
export async function prune(
  { memory, artifacts, clock }: PruneParts,
  app: AppName,
  keep: readonly Digest[],
): Promise<Pruned> {
  const mine = new Set(memory.ownedBy(app))
  const unclaimed = await Promise.all(
    keep.map(async (digest) => (!mine.has(digest) && (await artifacts.has(digest)) ? [digest] : [])),
  )
  await memory.owns(app, unclaimed.flat())
  const kept = new Set(keep)
  const problems: unknown[] = []
  let [removed, bytes, left] = [0, 0, 0]
  for (const digest of mine) {
    if (kept.has(digest)) continue
    if (memory.isUsed(digest)) {
      left++
      continue
    }
    try {
      if (memory.owners(digest).length === 1) {
        const freed = await artifacts.remove(digest, clock.now() - youngest)
        if (freed === undefined) {
          left++
          continue
        }
        removed++
        bytes += freed
      }
      await memory.disowns(app, digest)
    } catch (error) {
      problems.push(error)
    }
  }
  if (problems.length > 0) throw problems[0]
  return { kind: "done", removed, bytes, left }
}

/** Of what was built before owners were written down, as far as the records of builds go. */
export async function learnOwners(
  memory: Memory,
  jobs: Pick<Jobs, "list">,
  artifacts: Pick<TravellingArtifacts, "has"> | undefined,
): Promise<void> {
  for (const { app, outcome } of jobs.list()) {
    if (outcome?.kind !== "built" || memory.owners(outcome.digest).includes(app)) continue
    // An engine that does not answer now keeps nobody from starting; a list names it later.
    if (await artifacts?.has(outcome.digest).catch(() => false)) await memory.owns(app, [outcome.digest])
  }
}
