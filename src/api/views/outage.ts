import { shortCommit } from "../../core/model/ids.ts"
import type { Application, Region } from "../../core/pipeline/application.ts"
import type { AppSummary } from "../contract/views.ts"

/** Whether nobody serves where a release should: its users meet nobody, whatever else goes on. */
export const isDown = ({ policy, stable, instances }: Region): boolean =>
  policy.production &&
  stable !== undefined &&
  !Object.values(instances).some(({ state, retired }) => state === "ready" && !retired)

/** What is said of an application of which nobody serves somewhere in production; undefined where somebody does. */
export function outageOf(
  app: Application,
  problems: ReadonlyMap<string, string>,
): Pick<AppSummary, "sentence" | "todo"> | undefined {
  const down = app.regions.filter(isDown)
  if (down.length === 0) return undefined
  const where = down.map((region) => {
    const release = region.stable === undefined ? undefined : app.rollouts[region.stable]?.release
    const what = release === undefined ? "" : ` of ${shortCommit(release)}`
    return `${region.name} (0 of ${region.policy.size} instances${what} are ready)`
  })
  const [, problem] = [...problems].find(([part]) => part.startsWith("start ")) ?? []
  return {
    sentence: `Nobody serves at ${where.join(", ")}.`,
    todo: problem
      ? `None can be started: ${problem.replace(/\.$/, "")}. Mend that, or push a commit: it is built anew and climbs.`
      : "Fresh ones are being started. If they do not come up, see why: immunity servers, immunity logs.",
  }
}
