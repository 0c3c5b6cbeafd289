import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { phaseOf } from "../../support/control-plane.ts"
import { pause } from "../../support/until.ts"
import { LyingMetrics, lies } from "./stage/lying-metrics.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { oneRegion, type Trial, withTrial } from "./stage/trial.ts"

const atOnce = 3

const pipeline = (app: string, listen: number, url: string): string =>
  oneRegion([listen])
    .replace("app: papi", `app: ${app}`)
    .replace(/metrics:[\s\S]*/, "")
    .replace("test: node test.js\n", "") +
  `metrics:
  http: false
  sources: { prom: { type: prometheus, url: "${url}", every: 1s } }
  list:
    lost: { source: prom, kind: error-proportion, critical: true,
            query: 'sum(increase(all{instance="\${instance}"}[\${window}]))',
            bad: 'sum(increase(bad{instance="\${instance}"}[\${window}]))' }
`

/** F13: the monitoring lies, in each way to an application of its own. None is promoted by it, and none is locked. */
async function beLiedTo(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const kinds = Object.keys(lies).slice(0, scale.quick ? 3 : undefined)
  const watchMs = scale.quick ? 8_000 : 25_000
  let [promotions, locks] = [0, 0]
  const outcomes: Record<string, string> = {}
  for (let from = 0; from < kinds.length; from += atOnce) {
    const batch = kinds.slice(from, from + atOnce)
    scale.say(`F13: ${batch.join(", ")}`)
    await withTrial(findings, scale, {}, async (trial) => {
      const metrics = await LyingMetrics.start()
      try {
        await trial.begin()
        const told = await Promise.all(batch.map((kind) => lieTo(trial, metrics, kind)))
        metrics.lying = true
        const commits = told.map(({ repository }) => trial.cluster.commit("good", "none", {}, repository))
        await Promise.all(told.map(({ app }, at) => reaches(trial, app, commits[at] ?? "")))
        await pause(watchMs)
        for (const [at, { app, kind }] of told.entries()) {
          const phase = await phaseOf(trial.cluster.plane, commits[at] ?? "", "production", app)
          const held = (await trial.cluster.plane.app(app)).locks.length
          outcomes[kind] = phase
          promotions += ["full", "baking", "succeeded"].includes(phase) ? 1 : 0
          locks += held
          const waits = ["shifting", "holding"].includes(phase)
          findings.expect(waits && held === 0, `lied to by ${kind}, it is ${phase} with ${held} locks`)
        }
      } finally {
        metrics.stop()
      }
    })
  }
  findings.runs = kinds.length
  return { ...findings.result(), promotions, failureLocks: locks, kinds: kinds.length, outcomes }
}

/** An application whose metrics are told one kind of lie; its first release runs. */
async function lieTo(trial: Trial, metrics: LyingMetrics, kind: string) {
  const { cluster } = trial
  const app = `told-${kind.replace("_", "-")}`
  const [listen = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${metrics.port}/${kind}`
  const repository = cluster.repositoryOf(app, "test/faults/campaign/app", pipeline(app, listen, url))
  const first = cluster.commit("first", "none", {}, repository)
  await cluster.add(cluster.plane, app, repository)
  await cluster.until(
    `the first release of ${app}`,
    async () => (await phaseOf(cluster.plane, first, "production", app)) === "succeeded" || undefined,
    240_000,
  )
  return { app, kind, repository }
}

const reaches = (trial: Trial, app: string, commit: string): Promise<true> =>
  trial.cluster.until(
    `${app} to be compared`,
    async () => {
      const phase = await phaseOf(trial.cluster.plane, commit, "production", app)
      return ["none", "queued", "provisioning", "verifying"].includes(phase) ? undefined : true
    },
    240_000,
  )

export const f13: Fault = { id: "F13", title: "the monitoring lies", run: beLiedTo }
