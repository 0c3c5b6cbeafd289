import type { Application, Region } from "../../core/pipeline/application.ts"
import { nextKillAt, open, policyFor } from "../../core/pipeline/planned-failures.ts"
import { strengthOf } from "../../core/pipeline/rest.ts"
import type { StrengthView } from "../contract/views.ts"
import { spoken } from "./words.ts"

/** What planned failures showed of a region; undefined where none are planned and none happened. */
export function strengthView(app: Application, region: Region): StrengthView | undefined {
  const failures = region.failures ?? []
  const nextAt = nextKillAt(app, region)
  const [last] = failures
  if (!last && !policyFor(app, region)) return undefined
  const attention = attentionOf(app, region)
  return {
    sentence: attention ?? sentenceOf(region),
    attention,
    nextAt: nextAt === undefined ? undefined : Math.round(nextAt),
    failures: failures.map(({ at, kind, instance, end }) => ({
      at,
      kind,
      instance,
      ...(end?.full ? { tookMs: end.at - at } : {}),
    })),
  }
}

function sentenceOf(region: Region): string {
  const failures = region.failures ?? []
  const [last] = failures
  if (!last) return "no instance was ended on purpose yet"
  const what =
    last.kind === "kill"
      ? `the planned failure of ${last.instance}`
      : `the replacement of ${last.instance} for its age`
  if (!last.end) return `${what} is under way`
  if (!last.end.full) return `${what} told nothing: another release came`
  const longest = Math.max(...failures.flatMap(({ at, end }) => (end?.full ? [end.at - at] : [])))
  const others = failures.length > 1 ? ` (at most ${spoken(longest)} in the last ${failures.length})` : ""
  return `after ${what} it was at full strength again in ${spoken(last.end.at - last.at)}${others}`
}

/** An application that does not survive a planned failure is told so before a real one comes. */
export function attentionOf(app: Application, region: Region): string | undefined {
  const failure = open(region)
  if (!failure || failure.late === undefined) return undefined
  const { ready, size } = strengthOf(app, region, failure.pool)
  return `${region.name} is not back at full strength (${ready} of ${size}) since ${failure.instance} was ended on purpose; a real failure would find it like this`
}
