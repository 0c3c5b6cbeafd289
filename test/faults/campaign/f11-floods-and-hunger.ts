import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { processesOf } from "../../../src/main/demo/leftovers.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { oneRegion, withTrial } from "./stage/trial.ts"

const megabyte = 1024 * 1024

/**
 * F11: an instance that logs one line of 100 MB, a test that says 1 GB, an instance that eats memory. Only they pay:
 * what is ours stays small, and users notice nothing, except those whose requests the hungry instance had when its
 * memory ended.
 */
async function flood(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const pipeline = (ports: readonly number[]) =>
    oneRegion(ports).replace("  keep: 0", "  keep: 0\n  memory: 300MB")
  await withTrial(findings, scale, { pipeline }, async (trial) => {
    const { cluster } = trial
    await trial.begin({ clerkEveryMs: 500 })
    await cluster.climb(cluster.commit("a line of 100 MB", "flood-log"), "succeeded")
    await cluster.climb(cluster.commit("a test of 1 GB", "flood-test"), "succeeded")
    const excused = trial.excuse(/^502 reset/)
    const hungry = await cluster.climb(cluster.commit("hungry", "leak"), ["failed", "rolled-back"])
    excused()
    findings.figures.hungryInstance = hungry
    findings.runs = 3
    const logs = join(cluster.dir, "server", "agent", "logs")
    const sizes = readdirSync(logs).map((name) => statSync(join(logs, name)).size)
    findings.figures.largestLogMb = Math.round(Math.max(...sizes) / megabyte)
    for (const what of ["serve", "agent", "router"] as const) {
      const pid = processesOf(cluster.dir).find(({ name }) => name.includes(`main.js ${what}`))?.pid
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
      const mb = Math.round(Number(peak) / 1024)
      findings.figures[`${what}PeakMb`] = mb
      findings.expect(mb < 300, `${what} grew to ${mb} MB`)
    }
    findings.expect(cluster.starts === 1, "the control plane did not survive")
    for (const lock of (await cluster.app()).locks) {
      const body = { reason: "mended", preventive: "a limit" }
      await cluster.ask("POST", `/v1/apps/papi/locks/${lock.id}/release`, body)
    }
    await trial.looksForStrays()
  })
  findings.figures.memoryLimit = "watched by the agent (run.memory); no cgroup"
  return findings.result()
}

export const f11: Fault = {
  id: "F11",
  title: "floods of output, and an instance that eats memory",
  run: flood,
}
