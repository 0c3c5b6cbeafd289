import { at, world } from "../../edge-cases.ts"
import type { ReleasePlan } from "../../scenario.ts"
import { author } from "../../source.ts"
import { type MadeWorld, planned, rollout, says, shareOf, unusual, when } from "../made-world.ts"

const good = (moment: number): ReleasePlan => ({ at: moment, nature: "good", irreversible: false })

const gated = planned(world("good", [unusual]), { gate: true })

/** Says something as soon as the second release waits for its approval. */
const atTheGate = (command: (rollout: number) => Parameters<typeof says>[1], by?: string): MadeWorld => ({
  scenario: gated,
  also: (cluster) => {
    const waits = (): boolean => {
      const { phase } = rollout(cluster, 2) ?? {}
      return phase?.name === "queued" && phase.gate !== undefined
    }
    when(cluster, waits, () => says(cluster, command(rollout(cluster, 2)?.number ?? 0), by))
  },
})

const reason = "I have looked at it"

/** Somebody says something, or pushes something, at the very moment at which it matters. */
export const worldsOfPeople = {
  "a person halts a step": {
    scenario: world("good"),
    also: (cluster) =>
      when(
        cluster,
        () => shareOf(cluster, rollout(cluster, 2)) > 0,
        () => says(cluster, { type: "halt", rollout: rollout(cluster, 2)?.number ?? 0, reason }),
      ),
  },

  "a lock comes while there is nothing to mirror": {
    scenario: planned(world("good", [unusual]), { mirror: true }),
    also: (cluster) =>
      when(
        cluster,
        () => rollout(cluster, 1, "sandbox")?.phase.name === "verifying",
        () => says(cluster, { type: "lock", region: undefined, reason }),
      ),
  },

  "its author approves a release": atTheGate(
    (number) => ({ type: "approve", rollout: number, reason, bound: {} }),
    author,
  ),
  "another artifact is approved": atTheGate((number) => ({
    type: "approve",
    rollout: number,
    reason,
    bound: { digest: "sha256:another" },
  })),
  "older evidence is approved at a gate": atTheGate((number) => ({
    type: "approve",
    rollout: number,
    reason,
    bound: { evidence: "old" },
  })),
  "a person says no at the gate": atTheGate((number) => ({ type: "reject", rollout: number, reason })),

  "older evidence is approved in a hold": {
    scenario: world("good", [{ at: 28_000, kind: "traffic", factor: 0.01, forMs: 40_000 }]),
    also: (cluster) => {
      const asks = (): boolean => {
        const { phase } = rollout(cluster, 2) ?? {}
        return phase?.name === "holding" && phase.hold.proposal !== undefined
      }
      when(cluster, asks, () =>
        says(cluster, {
          type: "approve",
          rollout: rollout(cluster, 2)?.number ?? 0,
          reason,
          bound: { evidence: "old" },
        }),
      )
    },
  },

  "a person takes a success back": {
    scenario: world("good", [unusual]),
    also: (cluster) =>
      at(cluster, 55_000, () =>
        says(cluster, { type: "rollback", rollout: rollout(cluster, 2)?.number ?? 0, reason }),
      ),
  },

  "a success is taken back while the next region waits": {
    scenario: planned(world("good", [{ at: 44_000, kind: "kill-switch", forMs: 16_000 }]), {
      secondRegion: true,
    }),
    also: (cluster) =>
      when(
        cluster,
        () => rollout(cluster, 2)?.phase.name === "succeeded",
        () => says(cluster, { type: "rollback", rollout: rollout(cluster, 2)?.number ?? 0, reason }),
        200,
      ),
  },

  "three commits come at once": {
    scenario: planned(world("good"), { releases: [good(0), good(15_000), good(15_001), good(15_002)] }),
  },
  "a newer release comes while one is under way": {
    scenario: planned(world("good"), { releases: [good(0), good(15_000), good(19_000)] }),
  },
} satisfies Readonly<Record<string, MadeWorld>>
