import { Chance } from "./random.ts"
import {
  type AppPlan,
  type CallFault,
  callFaults,
  type Happening,
  type MetricsLie,
  type Nature,
  type OperatorOrder,
  type ReleasePlan,
  type Scenario,
  type Target,
} from "./scenario.ts"

const strategies = ["blue-green", "immutable", "one-at-a-time", "canary"] as const
const natures: readonly Nature[] = [
  "good",
  "good",
  "good",
  "errors",
  "errors",
  "bad-under-load",
  "bad-later",
  "never-healthy",
  "crashes",
  "failing-test",
  "unbuildable",
]
const kinds: readonly Happening["kind"][] = [
  "crash",
  "pause",
  "partition",
  "clock-rate",
  "instance-crash",
  "instance-flap",
  "instance-modified",
  "instance-vanish",
  "sick-world",
  "router-restart",
  "router-unreachable",
  "metrics",
  "source",
  "store",
  "traffic",
  "kill-switch",
  "operator",
]
const orders: readonly OperatorOrder[] = [
  "halt",
  "halt",
  "rollback",
  "lock",
  "unlock",
  "pause",
  "resume",
  "approve-stale",
  "approve-old-evidence",
  "approve-as-author",
  "retry",
  "deploy",
  "replace-instance",
]
const lies: readonly MetricsLie[] = ["blind", "frozen", "reset", "zero", "nan"]
const targets: readonly Target[] = ["store", "agent", "source", "notifier"]

/** When the first release has had time to be everywhere. */
const settled = 13_000
const troubles = 30_000
/** A release comes at most so long after the one before. */
const apart = 12_000
/** A late copy of a call comes this much later: beyond a lease, which lasts 8 s. */
const latest = 12_000

/** A whole scenario from one seed. Each seed enables some kinds of fault and leaves the others out (swarm). */
export function generate(seed: number): Scenario {
  const chance = new Chance(seed)
  const replicas = chance.chance("replicas", 0.35) ? 2 : 1
  const storm = chance.chance("storm", 0.01)
  const number = storm ? 5 : chance.chance("apps", 0.08) ? 2 : 1
  const apps = Array.from({ length: number }, (_, i) =>
    storm ? inAStorm(planOf(chance, i)) : planOf(chance, i),
  )
  // While the first release is on its way nothing is compared yet: few worlds begin their faults there.
  const from = chance.chance("early", 0.25) ? 0 : settled - 2_000
  // Some worlds are left alone: there the machine has to do everything by itself.
  const quiet = chance.chance("quiet", 0.06)
  const calls: Partial<Record<CallFault, number>> = {}
  for (const kind of callFaults) {
    if (!chance.chance(`swarm ${kind}`, 0.5)) continue
    const crash = kind.startsWith("crash") ? 0.1 : 1
    calls[kind] = crash * chance.pick(`intensity ${kind}`, [0.01, 0.03, 0.1, 0.3])
  }
  const bursts = Array.from({ length: quiet ? 0 : chance.between("bursts", 0, 3) }, (_, i) => {
    const begins = chance.between(`burst ${i}`, i === 0 ? from : settled, settled + troubles)
    return [begins, begins + chance.between(`burst length ${i}`, 2_000, 15_000)] as const
  })
  const enabled = quiet ? [] : kinds.filter((kind) => chance.chance(`swarm ${kind}`, 0.45))
  const happenings = enabled.flatMap((kind) =>
    Array.from({ length: chance.between(`count ${kind}`, 1, kind === "operator" ? 5 : 2) }, (_, i) =>
      happeningOf(chance, kind, `${kind} ${i}`, from),
    ),
  )
  const removals = chance.chance("swarm removal", 0.05) && !quiet ? chance.between("count removal", 1, 3) : 0
  for (let i = 0; i < removals; i++)
    happenings.push({
      at: chance.between(`removal ${i} at`, 2_000, settled + troubles),
      kind: "operator",
      order: "remove",
      pick: chance.between(`removal ${i} pick`, 0, 1_000),
    })
  const late = calls.duplicate || calls.delay || calls["slow-ack"] ? latest : 8_000
  const last = Math.max(
    ...apps.flatMap(({ releases }) => releases.map(({ at }) => at + 5_000)),
    ...bursts.map(([, to]) => to + late),
    ...happenings.map((happening) => happening.at + ("forMs" in happening ? happening.forMs : 0)),
  )
  const rates = Array.from(
    { length: replicas },
    (_, replica): Happening => ({ at: last, kind: "clock-rate", replica, rate: 1 }),
  )
  const back = enabled.includes("clock-rate") ? rates : []
  return {
    seed,
    replicas,
    apps,
    calls,
    bursts,
    happenings: [...happenings, ...back].sort((a, b) => a.at - b.at),
    calmFrom: last + 1_000,
    longestFault: latest,
  }
}

function planOf(chance: Chance, index: number): AppPlan {
  const name = ["papi", "mami", "nuki", "lilo", "suse"][index] ?? `app${index}`
  const site = (what: string): string => `${what} ${name}`
  const sandbox = chance.chance(site("sandbox"), 0.7)
  const releases: ReleasePlan[] = [{ at: 0, nature: "good", irreversible: false }]
  let at = settled
  for (let i = chance.between(site("releases"), 1, 2); i > 0; i--) {
    at += chance.between(site("release at"), 0, apart)
    releases.push({
      at,
      nature: chance.pick(site("nature"), natures),
      irreversible: chance.chance(site("irreversible"), 0.1),
    })
  }
  return {
    name,
    strategy: chance.pick(site("strategy"), strategies),
    size: chance.between(site("size"), 1, 3),
    gate: chance.chance(site("gate"), 0.4),
    mirror: sandbox && chance.chance(site("mirror"), 0.25),
    secondRegion: chance.chance(site("region"), 0.25),
    sandbox,
    freeze: chance.chance(site("freeze"), 0.15)
      ? [settled + chance.between(site("freeze from"), 0, apart), settled + apart + 10_000]
      : undefined,
    releases,
  }
}

/** Everything is bad at once: more likely the eyes are than the releases. */
const inAStorm = (plan: AppPlan): AppPlan => ({
  ...plan,
  size: 1,
  strategy: "immutable",
  gate: false,
  mirror: false,
  freeze: undefined,
  releases: [
    { at: 0, nature: "good", irreversible: false },
    { at: settled, nature: "errors", irreversible: false },
  ],
})

function happeningOf(chance: Chance, kind: Happening["kind"], site: string, from: number): Happening {
  const at = chance.between(`${site} at`, Math.max(2_000, from), settled + troubles)
  const pick = chance.between(`${site} pick`, 0, 1_000)
  const replica = pick % 2
  const forMs = chance.between(`${site} for`, 1_000, 25_000)
  switch (kind) {
    case "crash":
    case "pause":
      return { at, kind, replica, forMs }
    case "partition":
      return { at, kind, replica, from: chance.pick(`${site} target`, targets), forMs }
    case "clock-jump":
      return {
        at,
        kind,
        replica,
        byMs: chance.pick(`${site} jump`, [-3_600_000, -60_000, 60_000, 3_600_000]),
      }
    case "clock-rate":
      return { at, kind, replica, rate: chance.pick(`${site} rate`, [0.9, 0.95, 1.05, 1.1]) }
    case "instance-crash":
    case "instance-modified":
    case "instance-vanish":
      return { at, kind, pick }
    case "sick-world":
      return { at, kind, forMs }
    case "instance-flap":
      return { at, kind, pick, forMs: Math.min(forMs, 16_000) }
    case "router-restart":
      return { at, kind }
    case "router-unreachable":
    case "kill-switch":
      return { at, kind, forMs }
    case "metrics":
      return { at, kind, lie: chance.pick(`${site} lie`, lies), forMs: forMs * 2 }
    case "source":
      return { at, kind, lie: chance.pick(`${site} lie`, ["unreachable", "back"] as const), forMs }
    case "store":
      return {
        at,
        kind,
        lie: chance.pick(`${site} lie`, ["read-only", "full"] as const),
        forMs: Math.min(forMs, 15_000),
      }
    case "traffic":
      return { at, kind, factor: chance.pick(`${site} factor`, [0.01, 0.1, 3]), forMs }
    case "operator":
      return { at, kind, order: chance.pick(`${site} order`, orders), pick }
  }
}
