import { pathProblem } from "../answers/accepted.ts"
import type { ReleaseId } from "../model/ids.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Rollout } from "../rollout/rollout.ts"
import type { Application } from "./application.ts"
import type { Draft, Refusal } from "./draft.ts"

/** Of one release, by people; who changes more says so in the commit. */
const mostAccepted = 100

/** Writes down that a release means to change its answers at these paths. It holds wherever that release goes. */
export function acceptAnswers(
  draft: Draft,
  rollout: Rollout,
  paths: readonly string[],
  reason: string,
): Refusal | undefined {
  const release = draft.state.releases[rollout.release]
  if (!release) return { code: "unknown", message: `the release of rollout ${rollout.number} is gone` }
  if (!release.policy.metrics.some(({ kind }) => kind === "answers"))
    return {
      code: "wrong-phase",
      message: "its answers are not compared; add `answers:` to its immunity.yaml",
    }
  const wrong = paths.map(pathProblem).find((problem) => problem !== undefined)
  if (wrong) return { code: "not-allowed", message: wrong }
  const known = new Set(release.accepted)
  const fresh = [...new Set(paths)].filter((path) => !known.has(path))
  if (fresh.length === 0)
    return { code: "wrong-phase", message: `accepted already: ${paths.join(", ") || "no path was named"}` }
  if (known.size + fresh.length > mostAccepted)
    return {
      code: "not-allowed",
      message: `more than ${mostAccepted} paths are not accepted one by one; say answers.accept in the commit`,
    }
  draft.add(
    { type: "answers-accepted", rollout: rollout.number, release: release.id, paths: fresh, reason },
    reason,
  )
  return undefined
}

/** Takes back what people accepted of a release. What was measured before is judged anew, with these paths. */
export function withdrawAnswers(
  draft: Draft,
  rollout: Rollout,
  paths: readonly string[],
  reason: string,
): Refusal | undefined {
  const release = draft.state.releases[rollout.release]
  if (!release) return { code: "unknown", message: `the release of rollout ${rollout.number} is gone` }
  const known = release.accepted ?? []
  const strange = paths.find((path) => !known.includes(path))
  if (strange !== undefined)
    return {
      code: "wrong-phase",
      message: `${strange} was not accepted by anybody but perhaps by the commit itself; accepted by people: ${known.join(", ") || "nothing"}`,
    }
  if (paths.length === 0) return { code: "wrong-phase", message: "no path was named" }
  const rest = [...new Set(paths)]
  draft.add(
    { type: "answers-withdrawn", rollout: rollout.number, release: release.id, paths: rest, reason },
    reason,
  )
  return undefined
}

/** The metrics of a release with what people accepted since it was built. */
export function withAccepted(
  app: Application,
  release: ReleaseId,
  metrics: readonly MetricPolicy[],
): readonly MetricPolicy[] {
  const accepted = app.releases[release]?.accepted
  if (!accepted) return metrics
  return metrics.map((metric) =>
    metric.source.type === "answers"
      ? { ...metric, source: { ...metric.source, accept: [...metric.source.accept, ...accepted] } }
      : metric,
  )
}
