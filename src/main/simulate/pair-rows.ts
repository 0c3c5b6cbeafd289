import type { Row, Table } from "./read-csv.ts"

/** The same closed interval on both sides. */
export type Pair = {
  readonly from: number
  readonly to: number
  readonly canary: Row | undefined
  readonly control: Row | undefined
}

/**
 * Puts together what was measured at the same time: rows that end within half a step of each other. A row covers
 * the time since the one before it, but not more than a step: what lies in a gap was not measured. A side that has
 * no row at a time was not seen then.
 */
export function pairRows(canary: Table, control: Table): readonly Pair[] {
  const step = stepOf(canary.rows)
  const pairs: Pair[] = []
  let [i, j] = [0, 0]
  let until = Number.NEGATIVE_INFINITY
  while (i < canary.rows.length || j < control.rows.length) {
    const [mine, other] = [canary.rows[i], control.rows[j]]
    const together = mine && other && Math.abs(mine.at - other.at) <= step / 2
    const first = together || !other || (mine && mine.at < other.at)
    const takes = { canary: first ? mine : undefined, control: together || !first ? other : undefined }
    const to = takes.canary?.at ?? takes.control?.at ?? 0
    if (takes.canary) i++
    if (takes.control) j++
    if (to <= until) continue
    pairs.push({ ...takes, from: Math.max(until, to - step), to })
    until = to
  }
  return pairs
}

/** The usual time between two rows: the median. */
function stepOf(rows: readonly Row[]): number {
  const steps = rows
    .slice(1)
    .map(({ at }, i) => at - (rows[i]?.at ?? at))
    .sort((a, b) => a - b)
  return steps[Math.floor(steps.length / 2)] ?? 1_000
}
