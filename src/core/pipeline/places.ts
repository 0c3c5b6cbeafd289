import type { RegionName } from "../model/ids.ts"
import type { Application, Region } from "./application.ts"

/** Where instances may run: the regions, and the place of a drill beside them. */
export const placesOf = ({ regions, drill }: Application): readonly Region[] =>
  drill ? [...regions, drill.place] : regions

export const drillPlace = (region: RegionName): RegionName => `${region}/drill`
