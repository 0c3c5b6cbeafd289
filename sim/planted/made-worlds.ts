import type { Cluster } from "../cluster.ts"
import type { Fired } from "../faults.ts"
import type { Scenario } from "../scenario.ts"

/** A world in which one thing goes wrong that chance seldom meets. */
export type MadeWorld = {
  readonly scenario: Scenario
  readonly faults?: readonly Fired[]
  readonly also?: (cluster: Cluster) => void
}

export const madeWorlds: Readonly<Record<string, MadeWorld>> = {}
