import { setTimeout as sleep } from "node:timers/promises"
import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { systemClock } from "../../../src/providers/clock/system.ts"
import { openSharedStore } from "../../../src/store/store.ts"
import type { ControlPlane } from "../../support/control-plane.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { noPostgres, SharedStore } from "./stage/shared.ts"
import { type Trial, withTrial } from "./stage/trial.ts"

/**
 * F2: of two control planes on one PostgreSQL, first the one that holds the application dies in the middle of a good
 * rollout; then the one that holds it is frozen in the middle of a bad one and goes on at least `frozenMs` later.
 * What it, or a packet of it, still writes then is refused by the agent and by the journal.
 */
export async function freezeTheHolder(scale: Scale, runs: number, frozenMs: number): Promise<Result> {
  const findings = new Findings()
  findings.figures.lateWritesRefused = 0
  for (let run = 0; run < runs; run++) {
    scale.say(`F2 run ${run + 1} of ${runs}`)
    const store = await SharedStore.open()
    await withTrial(findings, scale, { ports: 2 }, async (trial) => {
      try {
        await oneFreeze(trial, store, frozenMs)
      } finally {
        await trial.close(() => store.booked())
      }
    })
    await store.close()
  }
  findings.figures.frozenMs = frozenMs
  return findings.result()
}

async function oneFreeze(trial: Trial, store: SharedStore, frozenMs: number): Promise<void> {
  const { cluster, findings } = trial
  cluster.shareToken()
  const env = { IMMUNITY_DB: store.url }
  const [port = 0] = await freePorts(1)
  const planes = [cluster.beside("one", cluster.ports[0] ?? 0, { env }), cluster.beside("two", port, { env })]
  for (const plane of planes) plane.stay()
  const [one, two] = planes as [ControlPlane, ControlPlane]
  await trial.settle(two)
  trial.users()
  await trial.clerk(planes, 500)

  const good = cluster.commit("good", "none")
  await cluster.climb(good, "shifting", one)
  const first = await store.holder(planes)
  const heir = first.plane === one ? two : one
  const dead = performance.now()
  await first.plane.end()
  findings.expect(await trial.recovery(dead, first.epoch), "nobody took over from the dead holder")
  await cluster.climb(good, "succeeded", heir)
  first.plane.stay()
  await cluster.add(first.plane)

  const bad = cluster.commit("bad", "errors")
  await cluster.climb(bad, ["shifting", "aborting", "rolling-back", "rolled-back"], heir)
  const zombie = await store.holder(planes)
  const other = zombie.plane === one ? two : one
  const frozen = performance.now()
  zombie.plane.signal("SIGSTOP")
  try {
    findings.expect(await trial.recovery(frozen, zombie.epoch), "nobody took over from the frozen holder")
    await cluster.climb(bad, "rolled-back", other)
    await sleep(Math.max(0, frozenMs - (performance.now() - frozen)))
    await sendLate(trial, store, zombie.epoch)
  } finally {
    zombie.plane.signal("SIGCONT")
  }
  const app = await cluster.until(
    "an end that both tell alike",
    async () => {
      const [a, b] = [await cluster.quiet(one), await two.app()]
      return a.version === b.version ? a : undefined
    },
    120_000,
  )
  findings.expect(app.locks.length === 1, `${app.locks.length} locks after one rollback`)
  const said = /the lease was asked for|went to another control plane|epoch/
  findings.figures.zombieNoticed =
    Number(findings.figures.zombieNoticed ?? 0) + (said.test(zombie.plane.log) ? 1 : 0)
  await trial.looksForStrays(one)
}

/** What is still on its way from the frozen one: each order and an append under its old epoch. */
async function sendLate(trial: Trial, store: SharedStore, epoch: number): Promise<void> {
  const { agent } = trial.cluster
  const signal = AbortSignal.timeout(30_000)
  const fence = { app: "papi", epoch, generation: 1_000_000 }
  const { instances } = await agent.observe(["papi"], signal)
  const [someone] = instances
  const late = [
    agent.fence("papi", epoch, signal),
    agent.setRoutes(fence, [], signal),
    agent.releaseInstance(fence, someone?.id ?? "none", 0, signal),
    agent.stopInstance(fence, someone?.id ?? "none", 0, signal),
  ]
  const answers = (await Promise.all(late)).map(({ kind }) => kind)
  const journal = await openSharedStore({ url: store.url, clock: systemClock })
  const version = (await journal.journal.read("papi", 0)).length
  const event = { type: "app-paused", reason: "late" } as const
  const events = [{ at: Date.now(), by: "zombie", because: "late", event }]
  const appended = await journal.journal.append({
    stream: "papi",
    expected: version,
    epoch,
    events,
    outbox: [],
  })
  await journal.close()
  const refused = [...answers.map((kind) => kind === "refused"), appended.kind === "fenced"]
  trial.findings.expect(!refused.includes(false), `late writes were taken: ${answers} ${appended.kind}`)
  const before = Number(trial.findings.figures.lateWritesRefused)
  trial.findings.figures.lateWritesRefused = before + refused.filter(Boolean).length
}

export const f02: Fault = {
  id: "F2",
  title: "of two control planes the holder dies, and one is frozen for 30 s and goes on",
  missing: noPostgres,
  run: (scale) => freezeTheHolder(scale, scale.runs ?? 1, scale.quick ? 5_000 : 30_000),
}
