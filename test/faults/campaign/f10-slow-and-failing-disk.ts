import { execFileSync, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pause } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { withTrial } from "./stage/trial.ts"

/**
 * F10: the disk under the journal takes 2 s for each fsync while a rollout is under way; then fsync fails. A control
 * plane whose fsync failed must end, for what the kernel dropped cannot be known; it is back when the disk is.
 */
async function spoilDisk(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const prepare = (dir: string): void => {
    const source = fileURLToPath(new URL("./shims/fsync.c", import.meta.url))
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", join(dir, "fsync.so"), source, "-ldl"])
    writeFileSync(join(dir, "disk"), "")
    // The words of the command cannot know the folder before it is made.
    before.push("env", `LD_PRELOAD=${join(dir, "fsync.so")}`, `FAULT_FSYNC=${join(dir, "disk")}`)
  }
  const before: string[] = []
  await withTrial(findings, scale, { before, prepare }, async (trial) => {
    const { cluster } = trial
    const disk = (order: string) => writeFileSync(join(cluster.dir, "disk"), order)
    await trial.begin({ clerkEveryMs: 300 })
    const slow = cluster.commit("while slow", "none")
    await cluster.climb(slow, ["verifying", "shifting"])
    disk("slow 2000 immunity.db")
    await pause(scale.quick ? 10_000 : 30_000)
    disk("")
    await cluster.climb(slow, "succeeded")
    findings.expect(cluster.starts === 1, "a slow disk ended the control plane")

    for (let failure = 0; failure < (scale.runs ?? (scale.quick ? 1 : 5)); failure++) {
      const [starts, epoch] = [cluster.starts, await trial.epoch()]
      cluster.commit(`while failing ${failure}`, "none")
      disk("eio 0 immunity.db")
      await cluster.until(
        "the control plane to end by itself",
        async () => cluster.starts > starts || undefined,
        60_000,
      )
      disk("")
      const mended = performance.now()
      findings.expect(await trial.recovery(mended, epoch), "nobody reconciles again")
      findings.runs += 1
    }
    const last = cluster.commit("last", "none")
    await cluster.climb(last, "succeeded")
    await trial.looksForStrays()
  })
  return findings.result()
}

const noCompiler = (): string | undefined =>
  spawnSync("cc", ["--version"]).status === 0 ? undefined : "there is no C compiler (cc) for the shim"

export const f10: Fault = {
  id: "F10",
  title: "the disk is slow, then fails",
  missing: noCompiler,
  run: spoilDisk,
}
