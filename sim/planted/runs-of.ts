import { ListedFaults } from "../faults.ts"
import { type Outcome, run } from "../run.ts"
import type { MadeWorld } from "./made-world.ts"

/** A made world at each of its moments, one run after the other. */
export function* runsOf({
  scenario,
  variations,
  faults,
  also,
}: MadeWorld): Generator<() => Promise<Outcome>> {
  for (const variation of variations ?? [0])
    yield () =>
      run(scenario, faults?.(variation) ?? new ListedFaults([]), {
        also: (cluster) => also?.(cluster, variation),
      })
}
