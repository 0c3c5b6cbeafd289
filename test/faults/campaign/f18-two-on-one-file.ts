import { join } from "node:path"
import { immunity } from "../../support/run.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { withTrial } from "./stage/trial.ts"

/** F18: a second control plane is started on the same SQLite file by mistake; it refuses, the first one goes on. */
async function startSecond(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const times = scale.runs ?? (scale.quick ? 2 : 10)
  await withTrial(findings, scale, {}, async (trial) => {
    const { cluster } = trial
    await trial.begin({ clerkEveryMs: 200 })
    const good = cluster.commit("good", "none")
    const dir = join(cluster.dir, "server")
    for (let time = 0; time < times; time++) {
      const second = await immunity(["serve", "--dir", dir, "--port", "0"])
      const refused = second.code === 1 && second.stderr.includes("already open for writing")
      findings.expect(refused, `the second one ended with ${second.code}: ${second.stderr}`)
    }
    findings.figures.refused = times
    await cluster.climb(good, "succeeded")
    findings.expect(cluster.starts === 1, "the first one was disturbed")
    await trial.looksForStrays()
  })
  return findings.result()
}

export const f18: Fault = { id: "F18", title: "two control planes on one SQLite file", run: startSecond }
