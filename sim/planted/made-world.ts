import type { Application, Region } from "../../src/core/pipeline/application.ts"
import type { Command } from "../../src/core/pipeline/input.ts"
import type { Rollout } from "../../src/core/rollout/rollout.ts"
import type { Cluster } from "../cluster.ts"
import type { Faults } from "../faults.ts"
import { submit } from "../operators.ts"
import type { AppPlan, Scenario } from "../scenario.ts"
import type { SimInstance } from "../server.ts"

/** A world in which one thing goes wrong that chance seldom meets. Without a bug it breaks no promise. */
export type MadeWorld = {
  readonly scenario: Scenario
  /** The same at another moment, at another call: what `faults` and `also` are told. One of them when not said. */
  readonly variations?: readonly number[]
  readonly faults?: (variation: number) => Faults
  readonly also?: (cluster: Cluster, variation: number) => void
}

/** Says that something happens, so that nobody expects the releases to end as in a calm world; it changes nothing. */
export const unusual = { at: 1, kind: "traffic", factor: 1, forMs: 1 } as const

/** The whole numbers from one to another. */
export const between = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** The same world with its applications planned otherwise. */
export const planned = (scenario: Scenario, plan: Partial<AppPlan>): Scenario => ({
  ...scenario,
  apps: scenario.apps.map((app) => ({ ...app, ...plan })),
})

const stateOf = (cluster: Cluster): Application | undefined => cluster.check.log.state("papi")

const regionOf = (cluster: Cluster, name: string): Region | undefined =>
  stateOf(cluster)?.regions.find((region) => region.name === name)

/** The n-th rollout of a region of papi, from 1. */
export const rollout = (cluster: Cluster, nth: number, region = "prod"): Rollout | undefined =>
  Object.values(stateOf(cluster)?.rollouts ?? {}).filter((known) => known.region === region)[nth - 1]

/** What of the route a rollout has, by what was observed. */
export const shareOf = (cluster: Cluster, one: Rollout | undefined): number =>
  (one && regionOf(cluster, one.region)?.weights[one.number]) ?? 0

/** What runs on the server for a rollout. */
export const running = (cluster: Cluster, one: Rollout | undefined): readonly SimInstance[] =>
  [...cluster.server.instances.values()].filter(
    ({ spec, stopped }) =>
      !stopped && one !== undefined && spec.id.includes(`-${one.region}-r${one.number}-`),
  )

/** The pool that serves a region. */
export const stablePool = (cluster: Cluster, region = "prod"): Rollout | undefined => {
  const stable = regionOf(cluster, region)?.stable
  return stable === undefined ? undefined : stateOf(cluster)?.rollouts[stable]
}

/** Acts once, as soon as something is so and `later` milliseconds more; looks `every` so many. */
export function when(cluster: Cluster, isSo: () => boolean, act: () => void, later = 0, every = 10): void {
  const { timeline } = cluster
  const look = (): boolean => {
    if (!isSo()) timeline.in(every, look)
    else
      timeline.in(later, () => {
        act()
        return true
      })
    return false
  }
  timeline.in(0, look)
}

/** Mira says something. */
export const says = (cluster: Cluster, command: Command, by = "Mira"): void =>
  submit(cluster, "papi", command, by, `${by}-${cluster.timeline.now}-${command.type}`)

export const ends = (cluster: Cluster, instances: readonly SimInstance[]): void => {
  for (const instance of instances) instance.endedAt ??= cluster.timeline.now
}
