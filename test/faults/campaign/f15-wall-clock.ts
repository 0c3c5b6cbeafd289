import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { clockEnv } from "../../../conformance/stage/program.ts"
import { type Fault, Findings, type Result, type Scale, type Skipped } from "./stage/result.ts"
import { oneRegion, withTrial } from "./stage/trial.ts"

const bakeSeconds = 8
const jumps = ["+3600s", "-600s", "-3600s"]

/** F15: the wall clock of control plane and agent jumps in the middle of a bake, which neither ends nor starts anew. */
async function jump(scale: Scale): Promise<Result | Skipped> {
  if ((await clockEnv("")) === undefined)
    return { skipped: "libfaketime is not installed (Debian's package libfaketime)" }
  const findings = new Findings()
  const wanted = scale.quick ? jumps.slice(0, 1) : jumps
  const env: Record<string, string> = {}
  const prepare = (dir: string): void => {
    writeFileSync(join(dir, "clock"), "+0s\n")
  }
  const pipeline = (ports: readonly number[]) => oneRegion(ports).replace("bake: 1s", `bake: ${bakeSeconds}s`)
  await withTrial(findings, scale, { env, pipeline, prepare }, async (trial) => {
    const { cluster } = trial
    Object.assign(env, await clockEnv(join(cluster.dir, "clock")))
    await trial.begin({ clerkEveryMs: 500 })
    const baked: number[] = []
    for (const by of wanted) {
      scale.say(`F15: ${by} in the middle of a bake`)
      const good = cluster.commit(`before ${by}`, "none")
      await cluster.climb(good, "baking")
      const began = performance.now()
      writeFileSync(join(cluster.dir, "clock"), `${by}\n`)
      await cluster.climb(good, "succeeded")
      const seconds = (performance.now() - began) / 1_000
      baked.push(Math.round(seconds * 10) / 10)
      // Looking for it took a moment; the part before it was seen counts as well.
      findings.expect(seconds > bakeSeconds * 0.7, `after ${by} it baked ${seconds} s of ${bakeSeconds}`)
      findings.runs += 1
    }
    findings.figures.bakedSeconds = baked
    findings.figures.bakeSeconds = bakeSeconds
    findings.expect((await cluster.app()).locks.length === 0, "a jump of the clock locked something")
    await trial.looksForStrays()
  })
  return findings.result()
}

export const f15: Fault = { id: "F15", title: "the wall clock jumps in the middle of a bake", run: jump }
