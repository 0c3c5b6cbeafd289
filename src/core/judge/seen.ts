import type { Observation } from "../model/measurement.ts"

/**
 * What the cohorts showed in one interval. In the warm-up a good canary may be worse, so it is held
 * against wider margins.
 */
export type Seen = {
  readonly canary: Observation | undefined
  readonly control: Observation | undefined
  readonly phase: "warming" | "judged"
}

/** The canary's numbers that sentences speak of: those of the warm-up until judging begins, then only the judged. */
export function numbersSoFar<Numbers>(
  past: { readonly begun: boolean; readonly canary: Numbers },
  now: Numbers,
  phase: Seen["phase"],
  add: (a: Numbers, b: Numbers) => Numbers,
): { readonly begun: boolean; readonly canary: Numbers } {
  if (phase === "warming")
    return { begun: past.begun, canary: past.begun ? past.canary : add(past.canary, now) }
  return { begun: true, canary: past.begun ? add(past.canary, now) : now }
}
