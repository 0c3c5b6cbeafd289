import type { RegionName } from "../model/ids.ts"
import type { RegionPolicy } from "../model/policy.ts"
import type { Application, Region } from "./application.ts"

/** Where instances may run: the regions, and the place of a drill beside them. */
export const placesOf = ({ regions, drill }: Application): readonly Region[] =>
  drill ? [...regions, drill.place] : regions

/** Where nothing ran yet. */
export const emptyPlace = (name: RegionName, policy: RegionPolicy): Region => ({
  name,
  policy,
  stable: undefined,
  kept: [],
  active: undefined,
  instances: {},
  nextSerial: 1,
  weights: {},
})

export const drillPlace = (region: RegionName): RegionName => `${region}/drill`
