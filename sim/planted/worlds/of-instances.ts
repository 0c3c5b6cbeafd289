import { at, world } from "../../edge-cases.ts"
import type { AppPlan, Scenario } from "../../scenario.ts"
import {
  ends,
  type MadeWorld,
  planned,
  rollout,
  running,
  says,
  shareOf,
  stablePool,
  unusual,
  when,
} from "../made-world.ts"

const reason = "it does not look right"

/** Some of the old pool end in the moment in which a person takes the second release back. */
const oldOnesEnd = (size: number, ending: number): MadeWorld => ({
  scenario: planned(world("errors", [unusual]), { size }),
  variations: [-30, -20, -10, 0, 5, 10, 20],
  also: (cluster, offset) => {
    const second = () => rollout(cluster, 2)
    const shared = (): boolean => shareOf(cluster, second()) > 0
    when(
      cluster,
      shared,
      () => ends(cluster, running(cluster, stablePool(cluster)).slice(0, ending)),
      1_300 + offset,
    )
    const back = () => says(cluster, { type: "rollback", rollout: second()?.number ?? 0, reason })
    when(cluster, shared, back, 1_300)
  },
})

/** papi goes back in two regions at once; then mami, then suse. */
function threeApplications(): Scenario {
  // Nothing lives yet; it says that instances do crash here.
  const { apps, ...more } = world("good", [{ at: 1, kind: "instance-crash", pick: 0 }])
  const [papi] = apps
  if (!papi) throw new Error("there is no application")
  const bad = (name: string, from: number): AppPlan => ({
    ...papi,
    name,
    releases: [
      { at: 0, nature: "good", irreversible: false },
      { at: from, nature: "errors", irreversible: false },
    ],
  })
  return {
    ...more,
    apps: [{ ...papi, secondRegion: true }, bad("mami", 70_000), bad("suse", 85_000)],
    calmFrom: 130_000,
  }
}

/** Instances end, are lost or fail their probes at the very moment at which it matters; or nobody can see them. */
export const worldsOfInstances = {
  "all that serve fail their probes": {
    scenario: world("good", [unusual]),
    also: (cluster) =>
      at(cluster, 53_000, () => {
        for (const instance of running(cluster, stablePool(cluster)))
          instance.unreadyUntil = cluster.timeline.now + 12_000
      }),
  },

  "all of the old pool end while a release goes back": oldOnesEnd(2, 2),
  "two of three old ones end while a release goes back": oldOnesEnd(3, 2),

  "one of three ends while it is tested": {
    scenario: planned(world("good", [unusual]), { size: 3, strategy: "blue-green" }),
    variations: [1_900, 2_000, 2_100, 2_150, 2_200],
    also: (cluster, later) =>
      when(
        cluster,
        () => rollout(cluster, 2)?.phase.name === "verifying",
        () => ends(cluster, running(cluster, rollout(cluster, 2)).slice(0, 1)),
        later,
      ),
  },

  "the probes fail when a bake ends": {
    scenario: planned(world("good", [unusual]), { size: 1 }),
    variations: [7_000, 7_500, 8_000, 8_500, 9_000, 9_500, 10_000],
    also: (cluster, later) =>
      when(
        cluster,
        () => rollout(cluster, 2)?.phase.name === "baking",
        () => {
          for (const instance of running(cluster, rollout(cluster, 2)))
            instance.unreadyUntil = cluster.timeline.now + 4_000
        },
        later,
      ),
  },

  "what was started is lost before anybody saw it": {
    scenario: world("good", [unusual]),
    also: (cluster) => {
      const starting = () =>
        running(cluster, stablePool(cluster)).find(({ readyAt }) => readyAt > cluster.timeline.now)
      at(cluster, 53_000, () => {
        ends(cluster, running(cluster, stablePool(cluster)).slice(0, 1))
        when(
          cluster,
          () => starting() !== undefined,
          () => cluster.server.forget(starting()?.spec.id ?? ""),
        )
      })
    },
  },

  "the router cannot be read for long": {
    scenario: world("good", [{ at: 29_000, kind: "metrics", lie: "blind", forMs: 45_000 }]),
  },
  "the router cannot be read when a step begins": {
    scenario: world("good", [{ at: 28_500, kind: "metrics", lie: "blind", forMs: 3_000 }]),
  },
  "the world is sick while nobody old can be compared with": {
    scenario: world("good", [unusual]),
    also: (cluster) => {
      const { server, timeline } = cluster
      const shared = (): boolean => shareOf(cluster, rollout(cluster, 2)) > 0
      const turn = (sick: boolean) => (): void => {
        server.traffic.advance(timeline.now)
        server.traffic.sick = sick
      }
      const fails = (): void => {
        for (const instance of running(cluster, stablePool(cluster)))
          instance.unreadyUntil = timeline.now + 32_000
      }
      when(cluster, shared, fails, 100)
      when(cluster, shared, turn(true), 2_500)
      when(cluster, shared, turn(false), 30_000)
    },
  },

  "one application goes back in two regions, two more in one": {
    scenario: threeApplications(),
    also: (cluster) => {
      const fails = (): void => {
        const there = rollout(cluster, 2, "prod2")
        const { name } = there?.phase ?? {}
        if (name === "shifting" || name === "baking")
          ends(
            cluster,
            running(cluster, there).filter(({ readyAt }) => readyAt + 500 < cluster.timeline.now),
          )
        if (cluster.timeline.now < 120_000) at(cluster, cluster.timeline.now + 400, fails)
      }
      at(cluster, 40_000, fails)
    },
  },
} satisfies Readonly<Record<string, MadeWorld>>
