import type { Policy } from "../core/model/policy.ts"
import type { File } from "./schema.ts"
import { durationOf } from "./units.ts"

/** What one release may cost beside what serves; absent: as much as it takes. */
export function surgePolicy(file: File["surge"]): Pick<Policy, "surge"> {
  if (!file) return {}
  return { surge: { budget: durationOf(file.budget), then: file.then ?? "release" } }
}

/** A budget that nothing follows from, or that is spent before a rollout can end. */
export function surgeWarnings({ surge, run, regions }: Policy): readonly string[] {
  if (!surge) return []
  const warnings: string[] = []
  if (surge.then === "release" && run.keep === 0)
    warnings.push("run.keep: 0 keeps no old pool, so there is nothing to release; say then: ask")
  if (surge.then === "ask" && regions.length === 1)
    warnings.push("there is no next region before which a person could be asked; say then: release")
  const least = regions.reduce((sum, { size, bake }) => sum + size * bake, 0)
  if (surge.budget < least)
    warnings.push(
      `the bakes alone cost ${Math.round(least / 60_000)} instance minutes (instances times bake, region by region), so the budget is spent before a release serves everywhere; give ${Math.ceil(least / 60_000)}m or more`,
    )
  return warnings
}
