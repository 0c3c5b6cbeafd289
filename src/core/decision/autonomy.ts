import type { RegionName } from "../model/ids.ts"
import type { Action, Autonomy, Policy } from "../model/policy.ts"

/** How much the system may do by itself. Waiting and watching longer never need leave. */
export function autonomyFor(policy: Policy, region: RegionName, action: Action): Autonomy {
  if (action === "hold" || action === "extend") return "auto"
  return policy.autonomy.regions[region]?.[action] ?? policy.autonomy[action]
}
