import type { RegionPolicy } from "../model/policy.ts"
import { unreachable } from "../model/unreachable.ts"
import type { Step } from "./rollout.ts"

/**
 * A strategy is a name for a schedule: how much new capacity stands beside the old, and how much of the
 * traffic it gets, step by step. The last step is always everything.
 */
export function scheduleFor(region: RegionPolicy, hasStable: boolean): readonly Step[] {
  const all: Step = { capacity: 1, weight: 1, analysis: false }
  if (!hasStable) return [all]
  switch (region.strategy) {
    case "blue-green":
      return [all]
    case "immutable":
      return [{ capacity: 1, weight: 0.5, analysis: true }, all]
    case "one-at-a-time":
      return [...oneAtATime(region.size), all]
    case "canary":
      return region.weights.map((weight) => ({
        capacity: Math.max(weight, 1 / region.size),
        weight,
        analysis: weight < 1,
      }))
    default:
      return unreachable(region.strategy)
  }
}

/** A single server has no peers to be compared with: the old and the new share the route once. */
function oneAtATime(size: number): readonly Step[] {
  if (size === 1) return [{ capacity: 1, weight: 0.5, analysis: true }]
  return Array.from({ length: size - 1 }, (_, i) => ({
    capacity: (i + 1) / size,
    weight: (i + 1) / size,
    analysis: true,
  }))
}

/** Instances that a step needs of a pool of `size`; shares round up, at least one. */
export const instancesFor = (step: Step, size: number): number =>
  Math.max(1, Math.min(size, Math.ceil(step.capacity * size - 1e-9)))
