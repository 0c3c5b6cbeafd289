import type { Cluster } from "./cluster.ts"
import { type Fired, ListedFaults } from "./faults.ts"
import { submit } from "./operators.ts"
import { run } from "./run.ts"
import { type Happening, type Nature, type Scenario, twoReleases } from "./scenario.ts"

/** A second release comes when the first one serves everywhere. */
export const secondAt = 15_000

/** A small world: one application in a sandbox and production, judged side by side at half of the traffic. */
export function world(nature: Nature, happenings: readonly Happening[] = [], replicas = 1): Scenario {
  return twoReleases({
    seed: 7,
    replicas,
    size: 2,
    secondAt,
    nature,
    happenings,
    calmFrom: Math.max(
      70_000,
      ...happenings.map((happening) => happening.at + ("forMs" in happening ? happening.forMs : 0) + 2_000),
    ),
  })
}

export type Told = {
  readonly violations: readonly string[]
  readonly cluster: Cluster
  /** How the rollout of the second release in production ended, or where it is. */
  readonly second: string | undefined
  readonly happened: (type: string) => number
}

/** Runs a world to its end, with whatever else is done to it on the way. */
export async function tell(
  scenario: Scenario,
  faults: readonly Fired[] = [],
  also: (cluster: Cluster) => void = () => {},
): Promise<Told> {
  let made: Cluster | undefined
  const outcome = await run(scenario, new ListedFaults(faults), {
    also: (cluster) => {
      made = cluster
      also(cluster)
    },
  })
  if (!made) throw new Error("the world was not made")
  const cluster = made
  const rollouts = Object.values(cluster.check.log.state("papi")?.rollouts ?? {})
  return {
    violations: outcome.violations.map(({ rule, what }) => `${rule}: ${what}`),
    cluster,
    second: rollouts.filter(({ region }) => region === "prod")[1]?.phase.name,
    happened: (type) =>
      (cluster.store.streams.get("papi") ?? []).filter(({ event }) => event.type === type).length,
  }
}

/** Does something at a moment. */
export const at = (cluster: Cluster, moment: number, act: () => void): void =>
  cluster.timeline.at(moment, () => {
    act()
    return true
  })

/** A person halts whatever is under way in production. */
export function haltProduction(cluster: Cluster, id: string): void {
  const rollouts = Object.values(cluster.check.log.state("papi")?.rollouts ?? {})
  const { number } = rollouts.findLast(({ region }) => region === "prod") ?? {}
  if (number !== undefined)
    submit(cluster, "papi", { type: "halt", rollout: number, reason: "I do not like it" }, "Mira", id)
}
