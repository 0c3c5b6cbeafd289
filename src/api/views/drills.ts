import { shortCommit } from "../../core/model/ids.ts"
import type { Application, Drill, DrillResult, Region } from "../../core/pipeline/application.ts"
import type { DrillView } from "../contract/views.ts"
import { spoken } from "./words.ts"

/** The drill under way, in words. */
export function drillView({ drill }: Application): DrillView | undefined {
  if (!drill) return undefined
  const { number, region, release, by, at, result } = drill
  const view = { number, region, commit: shortCommit(release), by, at }
  if (result)
    return {
      ...resultView(result),
      state: "clearing",
      sentence: `${sentenceOf(result)}; what it started is being ended`,
    }
  return { ...view, state: "under-way", sentence: underWay(drill), ...rebuilt(drill) }
}

function underWay({ release, region, place, readyAt, tests }: Drill): string {
  const what = `${shortCommit(release)} is rebuilt beside ${region}; no user meets it`
  if (readyAt === undefined) {
    const ready = Object.values(place.instances).filter(({ state }) => state === "ready").length
    return `${what}: ${ready} of ${place.policy.size} instances are healthy`
  }
  return `${what}: ${tests.filter(({ passed }) => passed).length} of ${tests.length} tests passed`
}

const rebuilt = ({ readyAt, at }: Drill) => (readyAt === undefined ? {} : { rebuiltMs: readyAt - at })

export const drillViews = ({ drills }: Application): DrillView[] => (drills ?? []).map(resultView)

export function resultView(result: DrillResult): DrillView {
  const { number, region, release, by, at, endedAt, kind, rebuiltMs } = result
  return {
    number,
    region,
    commit: shortCommit(release),
    by,
    at,
    state: kind,
    sentence: sentenceOf(result),
    tookMs: endedAt - at,
    ...(rebuiltMs === undefined ? {} : { rebuiltMs }),
  }
}

function sentenceOf({ release, region, at, endedAt, kind, because, rebuiltMs }: DrillResult): string {
  const commit = shortCommit(release)
  switch (kind) {
    case "passed":
      return `${region} was rebuilt from the images of ${commit} in ${spoken(rebuiltMs ?? 0)} and passed its tests after ${spoken(endedAt - at)}`
    case "failed":
      return `${region} could not be rebuilt from the images of ${commit}: ${because}`
    default:
      return `the drill of ${region} gave way: ${because}`
  }
}

/** The last drill of a region that said something. */
export const lastDrill = ({ drills }: Application, { name }: Region): DrillResult | undefined =>
  (drills ?? []).find(({ region, kind }) => region === name && kind !== "gave-way")

/** A region that could not be rebuilt must be looked at before it has to be. */
export function drillAttention(app: Application, region: Region): string | undefined {
  const last = lastDrill(app, region)
  return last?.kind === "failed" ? sentenceOf(last) : undefined
}
