import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { pause } from "../../support/until.ts"
import { toAsynchronous, toSynchronous } from "./f07-fail-over.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { noPostgres, SharedStore } from "./stage/shared.ts"
import { withTrial } from "./stage/trial.ts"

/**
 * F7: PostgreSQL is killed again and again under orders and in the middle of rollouts, its tables are locked by
 * another session, and its connections are used up; then standbys take over. Nothing that was acknowledged is lost,
 * but by the standby that had not received it, and users notice nothing.
 */
async function killDatabase(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const kills = scale.runs ?? (scale.quick ? 3 : 20)
  const store = await SharedStore.open()
  const [port = 0] = await freePorts(1)
  await withTrial(findings, scale, {}, async (trial) => {
    try {
      const { cluster } = trial
      cluster.shareToken()
      const plane = cluster.beside("one", port, { env: { IMMUNITY_DB: store.url } })
      plane.stay()
      await trial.settle(plane)
      trial.users()
      const clerk = await trial.clerk([plane], 50)
      const restarts: number[] = []
      for (let kill = 0; kill < kills; kill++) {
        if (kill % 5 === 0) cluster.commit(`good ${kill}`, "none")
        await pause(500 + ((kill * 331) % 1_500))
        const before = clerk.acknowledged.length
        const died = performance.now()
        await store.server.kill()
        await store.server.start()
        const back = performance.now()
        restarts.push(Math.round(back - died))
        while (clerk.acknowledged.length === before && performance.now() - died < 60_000) await pause(10)
        // From when the database answers again until an order is taken.
        findings.recoveries.push(performance.now() - back)
        findings.runs += 1
      }
      findings.figures.kills = kills
      findings.figures.databaseRestartMs = Math.max(...restarts)
      findings.expect(
        plane.starts === 1,
        `the control plane did not survive its database: ${plane.lastWords}`,
      )
      await lockTables(store, scale.quick ? 3_000 : 12_000)
      findings.figures.lockedMs = scale.quick ? 3_000 : 12_000
      findings.figures.connectionsTaken = await exhaust(store, 5_000)
      const last = cluster.commit("last", "none")
      await cluster.climb(last, "succeeded", plane)
      await trial.looksForStrays(plane)
      findings.figures.repeatedOrders = clerk.repeated
      findings.figures.slowestOrderMs = Math.round(clerk.slowest)
    } finally {
      await trial.close(() => store.booked())
    }
  })
  await store.close()
  await toSynchronous(findings, scale, scale.quick ? 1 : Math.ceil(kills / 4))
  await toAsynchronous(findings, scale)
  return findings.result()
}

/** Another session holds the journal's table, as a migration gone wrong would. */
async function lockTables(store: SharedStore, ms: number): Promise<void> {
  await store.rows(
    `begin; lock table event in access exclusive mode; select pg_sleep(${ms / 1_000}); rollback`,
  )
}

/** Takes every connection that there is. */
async function exhaust(store: SharedStore, ms: number): Promise<number> {
  const { default: pg } = await import("pg")
  const taken: InstanceType<typeof pg.Client>[] = []
  try {
    for (let tries = 0; tries < 200; tries++) {
      const client = new pg.Client(store.url)
      client.on("error", () => undefined)
      await client.connect()
      taken.push(client)
    }
  } catch {
    // That was the last one.
  }
  await pause(ms)
  await Promise.all(taken.map((client) => client.end().catch(() => undefined)))
  return taken.length
}

export const f07: Fault = {
  id: "F7",
  title: "PostgreSQL is killed under orders, locked, out of connections, and replaced by its standbys",
  missing: noPostgres,
  run: killDatabase,
}
