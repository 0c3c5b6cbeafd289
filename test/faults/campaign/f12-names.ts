import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { phaseOf } from "../../support/control-plane.ts"
import { pause } from "../../support/until.ts"
import { LyingMetrics } from "./stage/lying-metrics.ts"
import { type Answering, NameServer } from "./stage/name-server.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { noPostgres, SharedStore } from "./stage/shared.ts"
import { oneRegion, withTrial } from "./stage/trial.ts"

const nameServer = "127.53.53.53"
const troubles: readonly Answering[] = ["failure", "silence", "lies"]

const pipeline = (listen: number, metricsPort: number): string =>
  oneRegion([listen])
    .replace("for: 3s", "for: 6s")
    .replace(/metrics:[\s\S]*/, "") +
  `metrics:
  http: false
  sources: { prom: { type: prometheus, url: "http://metrics.faults.test:${metricsPort}/truth", every: 1s } }
  list:
    lost: { source: prom, kind: error-proportion, critical: true,
            query: 'sum(increase(all{instance="\${instance}"}[\${window}]))',
            bad: 'sum(increase(bad{instance="\${instance}"}[\${window}]))' }
`

/**
 * F12: database, monitoring and a repository are known by name, and the name server fails, falls silent or lies. What
 * is under way is held: nothing is taken back, locked or promoted for it.
 */
async function troubleNames(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const [port = 0, databasePort = 0] = await freePorts(2)
  const store = await SharedStore.open({ host: "127.0.0.1", port: databasePort })
  const names = await NameServer.start(nameServer)
  const metrics = await LyingMetrics.start()
  const before: string[] = []
  const prepare = (dir: string): void => {
    writeFileSync(join(dir, "resolv.conf"), `nameserver ${nameServer}\noptions timeout:1 attempts:1\n`)
    const mount = `mount --bind ${join(dir, "resolv.conf")} /etc/resolv.conf && exec "$@"`
    before.push("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh")
  }
  const pipelineOf = ([listen = 0]: readonly number[]) => pipeline(listen, metrics.port)
  await withTrial(findings, scale, { prepare, pipeline: pipelineOf }, async (trial) => {
    try {
      const { cluster } = trial
      cluster.shareToken()
      const url = `postgres://immunity@db.faults.test:${databasePort}/immunity`
      const plane = cluster.beside("one", port, { env: { IMMUNITY_DB: url }, before })
      plane.stay()
      await trial.settle(plane)
      await cluster.add(plane, "remote", "https://git.faults.test/remote.git")
      trial.users()
      await trial.clerk([plane], 500)
      for (const trouble of scale.quick ? troubles.slice(0, 1) : troubles) {
        scale.say(`F12: the name server gives ${trouble}`)
        findings.runs += 1
        const good = cluster.commit(`while ${trouble}`, "none")
        await cluster.climb(good, "shifting", plane)
        names.answering = trouble
        await pause(scale.quick ? 8_000 : 20_000)
        const phase = await phaseOf(plane, good).catch(() => "not told")
        findings.expect(
          ["shifting", "holding", "full", "baking", "succeeded", "not told"].includes(phase),
          `while the name server gives ${trouble} it is ${phase}`,
        )
        names.answering = "truth"
        const well = performance.now()
        await cluster.climb(good, ["full", "baking", "succeeded"], plane)
        findings.recoveries.push(performance.now() - well)
        await cluster.climb(good, "succeeded", plane)
      }
      findings.expect((await plane.app()).locks.length === 0, "a name server locked something")
      findings.figures.namesAsked = names.asked
      await trial.looksForStrays(plane)
    } finally {
      await trial.close(() => store.booked())
    }
  })
  names.stop()
  metrics.stop()
  await store.close()
  return findings.result()
}

const cannot = (): string | undefined => {
  const may = spawnSync("unshare", ["--mount", "--propagation", "private", "true"]).status === 0
  return may
    ? noPostgres()
    : "no right to a mount namespace, which gives a process its own resolv.conf (root)"
}

export const f12: Fault = { id: "F12", title: "trouble with names", missing: cannot, run: troubleNames }
