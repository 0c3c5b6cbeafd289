/**
 * How wide a level wanders by itself: instances of one side run the same, so how far they lie apart at one moment shows
 * it, before time has. What moves all of them, such as the load, is no part of it.
 */
export type Width = {
  /** The minute under way: its intervals, and the sum over them of each instance's logarithm, side by side. */
  readonly sums: Sides
  readonly intervals: number
  /** Of full minutes: squares of how far instances lay off the mean of their side, and how many of them are free. */
  readonly squares: number
  readonly free: number
}

type Sides = { readonly canary: readonly number[]; readonly control: readonly number[] }

export const noWidth: Width = { sums: { canary: [], control: [] }, intervals: 0, squares: 0, free: 0 }

/** More instances than these tell nothing new, and the state must stay small. */
const mostInstances = 8

/** One more interval, of the logarithms of both sides' instances, each in the same order. */
export function addToWidth(past: Width, { canary, control }: Sides): Width {
  const now = { canary: canary.slice(0, mostInstances), control: control.slice(0, mostInstances) }
  const begins = past.intervals === 0
  const alike =
    now.canary.length === past.sums.canary.length && now.control.length === past.sums.control.length
  // Whose value is missing cannot be told: the minute goes on with what it has.
  if (!begins && !alike) return past
  const add = (sums: readonly number[], logs: readonly number[]) =>
    begins ? logs : logs.map((log, i) => log + (sums[i] ?? 0))
  return {
    ...past,
    sums: { canary: add(past.sums.canary, now.canary), control: add(past.sums.control, now.control) },
    intervals: past.intervals + 1,
  }
}

/** The minute is over. */
export function endMinuteOfWidth(past: Width): Width {
  const { sums, intervals } = past
  if (intervals === 0) return past
  const sound = [sums.canary, sums.control].map((side) => soundOnes(side.map((sum) => sum / intervals)))
  return {
    ...noWidth,
    squares: past.squares + sound.reduce((all, side) => all + squaresOf(side), 0),
    free: past.free + sound.reduce((all, { length }) => all + Math.max(0, length - 1), 0),
  }
}

/** An instance at the double or the half of the others is broken, and does not tell how far sound ones wander. */
const brokenBeyond = Math.log(2)

function soundOnes(logs: readonly number[]): readonly number[] {
  const middle = median(logs)
  return logs.filter((log) => Math.abs(log - middle) < brokenBeyond)
}

function squaresOf(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
}

/** The middle one of values, or the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? upper) + upper) / 2
}

/** Variance of a minute of one instance; undefined where no two of a side were seen at once. */
export const variance = ({ squares, free }: Width): number | undefined =>
  free > 0 ? squares / free : undefined
