import takenWithALostAnswer from "../../corpus/taken-with-a-lost-answer.json" with { type: "json" }
import { at, secondAt, world } from "../../edge-cases.ts"
import { FaultsDuring, type Fired, ListedFaults } from "../../faults.ts"
import type { Story } from "../../shrink.ts"
import { between, type MadeWorld, planned, rollout, says, shareOf, unusual, when } from "../made-world.ts"

const fault = (site: string, count: number, kind: Fired["kind"], forMs = 500): Fired => ({
  site,
  count,
  kind,
  forMs,
})

const story = ({ scenario, faults }: Story): MadeWorld => ({
  scenario,
  faults: () => new ListedFaults(faults),
})

/** A call is lost, late or comes twice, at the very moment at which it matters. */
export const worldsOfCalls = {
  // When it comes, whoever held them is no longer there, and the next look for what is free is still to come.
  "leases are taken by a late copy of a question": {
    scenario: world("good", [{ at: 20_000, kind: "crash", replica: 0, forMs: 20_000 }], 2),
    variations: between(228, 237).map((tenths) => tenths * 100),
    faults: (forMs) => new ListedFaults([fault("plane2>store.take-leases", 1, "duplicate", forMs)]),
  },
  // Whoever holds it hears by its next write that it holds it no longer, and has only begun to give its orders.
  "a term ends while its orders are given": {
    scenario: world("good", [unusual]),
    variations: between(0, 5).map((fifths) => fifths * 200),
    faults: () => new FaultsDuring("plane1>agent.routes", "slow-ack", secondAt, secondAt + 15_000, 2_500),
    also: (cluster, later) =>
      when(
        cluster,
        () => rollout(cluster, 2, "sandbox")?.phase.name === "provisioning",
        () => {
          // A late copy of its own question.
          cluster.store.takeLeases(["app/papi"], "plane1")
          cluster.trouble()
          says(cluster, { type: "pause", reason: "lunch" })
          says(cluster, { type: "resume", rollout: undefined, reason: "back" })
        },
        later,
      ),
  },
  "leases are taken with a lost answer": story(takenWithALostAnswer as unknown as Story),

  "it is not known what became of a table": {
    scenario: world("good"),
    variations: between(2, 16),
    faults: (nth) => new ListedFaults([fault("plane1>agent.routes", nth, "drop")]),
  },

  "a table comes again when a newer one is in force": {
    scenario: world("good"),
    variations: between(4, 15),
    faults: (nth) => new ListedFaults([fault("plane1>agent.routes", nth, "duplicate", 2_500)]),
  },

  "a late copy of a table names what was released meanwhile": {
    scenario: world("errors"),
    variations: between(13, 17),
    faults: (nth) =>
      new ListedFaults([
        fault("plane1>agent.routes", nth, "duplicate", 8_000),
        fault("plane1>agent.routes", nth + 1, "drop"),
        fault("plane1>agent.routes", nth + 2, "drop"),
      ]),
  },

  "an instance is replaced while no table reaches the router": {
    scenario: world("good"),
    faults: () => new FaultsDuring("plane1>agent.routes", "drop", 55_000, 68_000),
    also: (cluster) =>
      at(cluster, 55_000, () => {
        const { number } = rollout(cluster, 2) ?? {}
        const instance = Object.keys(
          cluster.check.log.state("papi")?.regions.find(({ name }) => name === "prod")?.instances ?? {},
        ).find((id) => id.includes(`-r${number}-`))
        if (instance) says(cluster, { type: "replace-instance", instance, reason: "it looks odd" })
      }),
  },

  "an instance is released before its start arrives": {
    scenario: world("good", [unusual]),
    variations: between(1, 4),
    faults: () => new FaultsDuring("plane1>agent.start", "delay", 23_000, 40_000, 14_000),
    also: (cluster, seconds) =>
      when(
        cluster,
        () => rollout(cluster, 2)?.phase.name === "provisioning",
        () =>
          says(cluster, {
            type: "rollback",
            rollout: rollout(cluster, 2)?.number ?? 0,
            reason: "not this one",
          }),
        seconds * 1_000,
      ),
  },

  "the answer about a presence is late": {
    scenario: world("good"),
    variations: between(8, 20),
    faults: (nth) =>
      new ListedFaults(
        between(nth, nth + 2).map((count) => fault("plane1>store.renew", count, "slow-ack", 4_500)),
      ),
  },

  "a presence is found gone by whoever paused": {
    scenario: world("good", [{ at: 29_000, kind: "pause", replica: 0, forMs: 14_000 }], 2),
  },

  "who takes over was deaf": {
    scenario: world("good", [unusual], 2),
    variations: [1_000, 1_500, 2_000, 2_500, 2_900],
    // It has heard of everything but the halt.
    faults: (later) => new FaultsDuring("plane2>store.feed", "drop", 28_790 + later, 52_000),
    also: (cluster, later) => {
      const [holder] = cluster.planes
      when(
        cluster,
        () => shareOf(cluster, rollout(cluster, 2)) > 0,
        () =>
          says(cluster, {
            type: "halt",
            rollout: rollout(cluster, 2)?.number ?? 0,
            reason: "I do not like it",
          }),
        later,
      )
      // It has stored the halt and does no more; then it comes back.
      when(
        cluster,
        () => rollout(cluster, 2)?.phase.name === "holding",
        () => holder?.crash("kill -9"),
        0,
        1,
      )
      at(cluster, 70_000, () => holder?.start())
    },
  },

  "the answer about a measurement is lost": {
    scenario: world("good"),
    variations: between(2, 12),
    faults: (nth) => new ListedFaults([fault("plane1>store.add-interval", nth, "lost-ack")]),
  },

  "evidence arrives when its writer has lost the application": {
    scenario: world("good", [unusual], 2),
    variations: between(2, 6),
    faults: (nth) => new ListedFaults([fault("plane1>store.add-interval", nth, "delay", 14_000)]),
    also: (cluster) => {
      const [holder] = cluster.planes
      when(
        cluster,
        () => cluster.faults.fired.length > 0,
        () => holder?.crash("kill -9"),
      )
      at(cluster, 70_000, () => holder?.start())
    },
  },

  "the kill switch is set while a commit is fetched": {
    scenario: world("good", [{ at: 18_600, kind: "kill-switch", forMs: 9_000 }]),
    faults: () => new ListedFaults([fault("plane1>source.archive", 2, "slow-ack", 3_500)]),
  },

  "a person locks after an answer was lost": {
    scenario: world("good"),
    variations: between(12, 18),
    // Nobody tells it meanwhile what it has stored.
    faults: (nth) =>
      new ListedFaults([
        fault("plane1>store.append", nth, "lost-ack"),
        ...between(3, 14).map((count) => fault("plane1>store.feed", count, "drop")),
      ]),
    also: (cluster) =>
      when(
        cluster,
        () => cluster.faults.fired.some(({ kind }) => kind === "lost-ack"),
        () => says(cluster, { type: "lock", region: undefined, reason: "not now" }),
        1_000,
      ),
  },

  "a copy of the reads goes to the new release": {
    scenario: planned(world("good"), { mirror: true }),
  },
} satisfies Readonly<Record<string, MadeWorld>>
