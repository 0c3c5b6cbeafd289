import { mergeHistograms } from "../../core/judge/histogram.ts"
import { toldApart } from "../../core/judge/instance-share.ts"
import type { Observation } from "../../core/model/measurement.ts"

/** Asks instance by instance; those that cannot be seen are left out, and told when nobody can be. */
export async function together(
  instances: readonly string[],
  observe: (instance: string) => Promise<Observation | undefined>,
): Promise<Observation | undefined> {
  const settled = await Promise.allSettled(instances.map(observe))
  const seen = settled.flatMap((each, i) =>
    each.status === "fulfilled" && each.value ? [{ id: instances[i] ?? "", value: each.value }] : [],
  )
  const [first, ...others] = seen
  if (first) {
    const all = others.reduce((sum, { value }) => add(sum, value), first.value)
    return toldApart(
      all,
      seen.map(({ id, value }) => ({ id, seen: value })),
    )
  }
  const failed = settled.find((each) => each.status === "rejected")
  if (failed) throw failed.reason
  return undefined
}

function add(a: Observation, b: Observation): Observation {
  if (a.kind === "proportion" && b.kind === "proportion")
    return { kind: "proportion", total: a.total + b.total, bad: a.bad + b.bad }
  if (a.kind === "events" && b.kind === "events")
    return { kind: "events", events: a.events + b.events, exposure: a.exposure + b.exposure }
  if (a.kind === "histogram" && b.kind === "histogram")
    return {
      kind: "histogram",
      buckets: mergeHistograms(a.buckets, b.buckets),
      // Requests of both are told apart only where each tells its own apart.
      ...(a.edges && b.edges ? { edges: a.edges.filter((edge) => b.edges?.includes(edge)) } : {}),
    }
  if (a.kind === "gauge" && b.kind === "gauge") return { kind: "gauge", values: [...a.values, ...b.values] }
  throw new Error(`a ${a.kind} and a ${b.kind} cannot be added`)
}
