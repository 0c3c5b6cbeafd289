/** What could be seen of a metric lately. Runs count intervals without interruption up to now. */
export type Sight = {
  readonly intervals: number
  /** Intervals in a row that brought no canary observation at all: the source is blind. */
  readonly unseen: number
  /** Intervals in a row without a single request, second or sample of the canary. */
  readonly silent: number
  /** Canary requests, seconds or samples so far. */
  readonly canary: number
  /** What the control showed during the canary's silence. */
  readonly controlMeanwhile: number
  readonly blind: string | undefined
}

export const nothingSeen: Sight = {
  intervals: 0,
  unseen: 0,
  silent: 0,
  canary: 0,
  controlMeanwhile: 0,
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
    blind: canary === undefined ? (blind ?? past.blind) : undefined,
  }
}

export const isDark = (sight: Sight): boolean => sight.canary === 0 || sight.silent >= tolerable

export const sourceIsBlind = (sight: Sight): boolean => sight.unseen >= tolerable

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
  return sight.controlMeanwhile > 0
    ? `the canary was silent ${forHowLong} while the control was not: whether it is alive is for the probes to say`
    : `neither the canary nor the control had traffic ${forHowLong}`
}
