import { pause } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { oneRegion, withTrial } from "./stage/trial.ts"

/**
 * F16: instances whose probes pass and who fail their users: answers 500, requests that are never answered, kept
 * connections that are closed just when they are used. The first two are judged and taken back; the third is a good
 * release, and the router asks again where asking twice is harmless.
 */
async function lie(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const pipeline = (ports: readonly number[]) =>
    oneRegion(ports).replace(/metrics:[\s\S]*/, "metrics: http\n")
  await withTrial(findings, scale, { pipeline }, async (trial) => {
    const { cluster } = trial
    await trial.begin({ clerkEveryMs: 500 })
    const release = async (): Promise<void> => {
      const [lock] = (await cluster.app()).locks
      const body = { reason: "mended", preventive: "a test" }
      if (lock) await cluster.ask("POST", `/v1/apps/papi/locks/${lock.id}/release`, body)
    }
    await cluster.climb(cluster.commit("healthy, and answers 500", "errors"), "rolled-back")
    await release()
    const excused = trial.excuse()
    const hangs = cluster.commit("healthy, and never answers", "hang")
    const began = performance.now()
    await cluster.climb(hangs, "rolled-back")
    findings.figures.hangTakenBackMs = Math.round(performance.now() - began)
    await release()
    // Requests that it swallowed are given up by their users.
    await pause(16_000)
    excused()
    findings.runs += 2
    const closing = trial.excuse()
    await cluster.climb(cluster.commit("closes kept connections", "goodbye"), ["succeeded", "rolled-back"])
    await pause(2_000)
    closing()
    const { failed } = await trial.users().served()
    const reads = failed.filter(({ method, why }) => method === "GET" && /502|reset|broken/.test(why))
    findings.figures.writesCutByInstance = failed.filter(({ method }) => method === "POST").length
    findings.expect(reads.length === 0, `${reads.length} reads failed, the first: ${reads[0]?.why}`)
  })
  return findings.result()
}

export const f16: Fault = { id: "F16", title: "instances whose probes pass and who fail users", run: lie }
