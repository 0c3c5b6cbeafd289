import type { RegionName, ReleaseId, RolloutNumber } from "../model/ids.ts"
import type { RegionPolicy } from "../model/policy.ts"
import type { Application, Region } from "./application.ts"

/** Where instances may run: the regions, and the place of a drill beside them. */
export const placesOf = ({ regions, drill }: Application): readonly Region[] =>
  drill ? [...regions, drill.place] : regions

/** What serves here, is under way, is kept for a way back, or runs still. */
export const poolsIn = ({ stable, active, kept, instances }: Region): readonly RolloutNumber[] =>
  [stable, active, ...kept, ...Object.values(instances).map(({ pool }) => pool)].filter(
    (pool) => pool !== undefined,
  )

/** Of the instances that are here, whatever their rollout is by now. */
export const releasesIn = ({ instances }: Region): readonly ReleaseId[] =>
  Object.values(instances).map(({ release }) => release)

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
