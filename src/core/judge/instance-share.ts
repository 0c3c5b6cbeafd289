import type { InstanceShare, Observation } from "../model/measurement.ts"
import { middleOf } from "./histogram.ts"

/** What an instance added, from an observation of it alone; undefined of kinds that are not told apart. */
export function shareOf(id: string, seen: Observation): InstanceShare | undefined {
  switch (seen.kind) {
    case "proportion":
      return { id, n: seen.total, sum: seen.bad, squares: 0 }
    case "histogram":
      return logShare(
        id,
        seen.buckets.map(([bucket, count]) => [middleOf(bucket), count]),
      )
    case "gauge":
      return logShare(
        id,
        seen.values.map((value) => [value, 1]),
      )
    default:
      return undefined
  }
}

/**
 * The same observation with what each of its instances added; as it is where not all of them can be told, for then one
 * would look like another.
 */
export function toldApart(
  all: Observation,
  each: readonly { readonly id: string; readonly seen: Observation | undefined }[],
): Observation {
  if (all.kind === "events" || all.kind === "answers") return all
  const shares = each.flatMap(({ id, seen }) => (seen && shareOf(id, seen)) ?? [])
  return shares.length > 0 && shares.length === each.length ? { ...all, instances: shares } : all
}

/** Undefined where a value has no logarithm: an instance of which a part is left out would look like another. */
function logShare(id: string, values: readonly (readonly [value: number, count: number])[]) {
  let [n, sum, squares] = [0, 0, 0]
  for (const [value, count] of values) {
    const log = Math.log(value)
    if (!Number.isFinite(log)) return undefined
    n += count
    sum += count * log
    squares += count * log * log
  }
  return { id, n, sum, squares }
}

const none: readonly InstanceShare[] = []

/** The instances of an observation that can be right; none where the source does not tell them apart. */
export function instancesOf(seen: Observation | undefined): readonly InstanceShare[] {
  const all =
    seen === undefined || seen.kind === "events" || seen.kind === "answers" ? none : (seen.instances ?? none)
  if (all.length === 0) return none
  return all.filter(
    ({ n, sum, squares }) => n > 0 && Number.isFinite(n) && Number.isFinite(sum) && Number.isFinite(squares),
  )
}
