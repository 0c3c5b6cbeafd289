/** What could be seen of a metric lately. Runs count intervals without interruption up to now. */
export type Sight = {
  readonly intervals: number
  /** Intervals in a row that brought no canary observation at all: the source is blind. */
  readonly unseen: number
  /** Intervals in a row without a single request, second or sample of the canary. */
  readonly silent: number
  /** Canary requests, seconds or samples so far. */
  readonly canary: number
  /** What the control showed during the canary's silence, and while the canary was heard. */
  readonly controlMeanwhile: number
  readonly controlBeside: number
  readonly blind: string | undefined
}

export const nothingSeen: Sight = {
  intervals: 0,
  unseen: 0,
  silent: 0,
  canary: 0,
  controlMeanwhile: 0,
  controlBeside: 0,
  blind: undefined,
}

/** So many intervals in a row may be missing before what was seen is out of date. */
const tolerable = 3

/** `canary` and `control` are amounts; undefined is absent. */
export function see(
  past: Sight,
  canary: number | undefined,
  control: number | undefined,
  blind: string | undefined,
): Sight {
  const silent = canary === undefined || canary === 0
  return {
    intervals: past.intervals + 1,
    unseen: canary === undefined ? past.unseen + 1 : 0,
    silent: silent ? past.silent + 1 : 0,
    canary: past.canary + (canary ?? 0),
    controlMeanwhile: silent ? past.controlMeanwhile + (control ?? 0) : 0,
    controlBeside: silent ? past.controlBeside : past.controlBeside + (control ?? 0),
    blind: canary === undefined ? (blind ?? past.blind) : undefined,
  }
}

/** Nothing can be said: it was never seen, it is not seen any more, or it is silent where it should be heard. */
export function isDark(sight: Sight): boolean {
  if (sight.intervals === sight.unseen || sight.unseen >= tolerable) return true
  if (sight.unseen > 0 && sight.canary === 0) return true
  return sight.silent >= tolerable && expectedMeanwhile(sight) >= certain
}

/** A canary that is due so many requests and shows none is silent by chance once in twenty thousand times. */
const certain = 10

/** The smallest weight that is of use; what a canary that was never heard is due at least. */
const leastShare = 0.01

/** Canary requests due during its silence, going by what came beside the control's before. */
function expectedMeanwhile({ canary, controlBeside, controlMeanwhile }: Sight): number {
  const share = canary > 0 && controlBeside > 0 ? canary / controlBeside : leastShare
  return controlMeanwhile * share
}

/** It can be seen that there is next to no traffic: too little to judge, no blindness. */
export const isQuiet = (sight: Sight): boolean =>
  !isDark(sight) && (sight.canary === 0 || sight.silent >= tolerable)

export const sourceIsBlind = (sight: Sight): boolean => sight.unseen >= tolerable

/** Why it is too quiet to judge, in one sentence. */
export function tooQuiet(sight: Sight): string {
  const forHowLong = sight.silent === 1 ? "in the last interval" : `in the last ${sight.silent} intervals`
  return `too little traffic to judge: none on the canary ${forHowLong}`
}

/** Why there is no data, in one sentence. */
export function inTheDark(sight: Sight): string {
  if (sight.intervals === 0) return "nothing was measured yet"
  const forHowLong = sight.silent === 1 ? "in the last interval" : `in the last ${sight.silent} intervals`
  if (sight.unseen > 0 && sight.unseen === sight.silent) {
    const why = sight.blind ? `: ${sight.blind}` : ""
    return sight.controlMeanwhile > 0
      ? `the canary could not be seen ${forHowLong} while the control could${why}`
      : `it could not be measured ${forHowLong}${why}`
  }
  return `the canary was silent ${forHowLong} while the control was not: whether it is alive is for the probes to say`
}
