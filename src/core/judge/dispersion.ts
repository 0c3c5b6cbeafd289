import type { Counts } from "./tally.ts"

/**
 * How much more the control's counts jump from one interval to the next than independent outcomes
 * would: a Fano factor from successive differences, so that a slow drift of the baseline, which the
 * tests bear anyway, is not mistaken for it.
 */
export type Dispersion = {
  readonly seen: Counts
  readonly last: Counts | undefined
  readonly jumps: number
  /** Sum over neighbours of (difference of rates)² / (1/n + 1/n'). */
  readonly squares: number
}

export const noDispersion: Dispersion = { seen: { n: 0, k: 0 }, last: undefined, jumps: 0, squares: 0 }

/** Fewer intervals or events than this teach nothing; until then the cap per interval stands guard alone. */
const enoughJumps = 20
const enoughEvents = 5
const most = 20

export function addControl(past: Dispersion, counts: Counts): Dispersion {
  if (counts.n <= 0) return past
  const seen = { n: past.seen.n + counts.n, k: past.seen.k + counts.k }
  if (!past.last) return { ...past, seen, last: counts }
  const jump = counts.k / counts.n - past.last.k / past.last.n
  return {
    seen,
    last: counts,
    jumps: past.jumps + 1,
    squares: past.squares + (jump * jump) / (1 / counts.n + 1 / past.last.n),
  }
}

/** Phi ≥ 1, by which every later log e-value is divided. `events` are Poisson, else trials. */
export function phiOf({ seen, jumps, squares }: Dispersion, outcomes: "trials" | "events"): number {
  if (jumps < enoughJumps || seen.k < enoughEvents) return 1
  const rate = seen.k / seen.n
  const variance = outcomes === "trials" ? rate * (1 - rate) : rate
  if (variance <= 0) return 1
  return Math.min(most, Math.max(1, squares / jumps / variance))
}
