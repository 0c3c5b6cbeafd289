import { shortCommit } from "../model/ids.ts"
import type { Drill, DrillResult } from "./application.ts"
import type { Draft } from "./draft.ts"

/** A drill that is under way says nothing of its region and ends: something needs its place or its quiet more. */
export function giveWay(draft: Draft, because: string): void {
  const { drill } = draft.state
  if (drill && !drill.result) endDrill(draft, drill, "gave-way", because)
}

export function endDrill(draft: Draft, drill: Drill, kind: DrillResult["kind"], because: string): void {
  const { number, region, release, by, at, readyAt } = drill
  draft.conclude(
    {
      type: "drill-ended",
      result: {
        number,
        region,
        release,
        by,
        at,
        endedAt: draft.at,
        kind,
        because,
        ...(readyAt === undefined ? {} : { rebuiltMs: readyAt - at }),
      },
    },
    kind === "passed"
      ? because
      : `the drill of ${shortCommit(release)} ${kind === "failed" ? "failed" : "gave way"}: ${because}`,
  )
}
