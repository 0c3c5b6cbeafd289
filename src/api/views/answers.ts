import { isAccepted } from "../../core/answers/accepted.ts"
import { withAccepted } from "../../core/pipeline/accept-answers.ts"
import type { Application } from "../../core/pipeline/application.ts"
import { type Rollout, regionPolicy } from "../../core/rollout/rollout.ts"
import type { AnswersView } from "../contract/views.ts"

/**
 * What the newest look found in the answers, by what is accepted now; undefined where they are not compared: that is
 * done only where a region is mirrored, before any user meets the release.
 */
export function answersOf(app: Application, rollout: Rollout): AnswersView | undefined {
  const metric = withAccepted(app, rollout.release, rollout.policy.metrics).find(
    ({ source }) => source.type === "answers",
  )
  if (metric?.source.type !== "answers" || !regionPolicy(rollout).mirror) return undefined
  const { accept } = metric.source
  const verdict = rollout.lastLook?.verdicts.find((known) => known.metric === metric.name)
  return {
    compared: verdict?.canary?.samples ?? 0,
    accepted: [...accept],
    withdrawable: [...(app.releases[rollout.release]?.accepted ?? [])],
    paths: (verdict?.paths ?? []).map(({ endpoint, path, state, structural, raw, noise, sample }) => ({
      endpoint,
      path,
      state: isAccepted(accept, endpoint, path) ? "accepted" : state,
      structural,
      raw,
      noise,
      stable: sample?.stable,
      candidate: sample?.candidate,
      because: `${sample ? `${sample.stable} → ${sample.candidate}; ` : ""}${raw} times on the candidate alone, ${noise} times on a second stable instance`,
    })),
  }
}
