import type { Copies } from "../model/measurement.ts"
import { percent } from "./words.ts"

export const noCopies: Copies = { made: 0, dropped: 0 }

export const addCopies = (past: Copies, { made, dropped }: Copies): Copies => ({
  made: past.made + made,
  dropped: past.dropped + dropped,
})

/**
 * Copies are dropped when the candidate is slow or refuses: those that are left are of its better moments. Of so
 * large a part nobody knows what it would have shown.
 */
const tolerated = 0.1
/** Fewer are an accident: a candidate that was not there for the first of them. */
const fewest = 20

/** Why what was compared is not all of it; undefined as long as it nearly is. */
export function missingCopies({ made, dropped }: Copies): string | undefined {
  const share = dropped / Math.max(1, made + dropped)
  if (dropped < fewest || share <= tolerated) return undefined
  return `${percent(share)} of the copies were dropped, most likely when the candidate was slow: what was compared is not all of it; a smaller mirror.sample may be copied whole`
}
