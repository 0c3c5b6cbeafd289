import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { passable } from "../../../src/main/folders.ts"
import { pause, until } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { oneRegion, withTrial } from "./stage/trial.ts"

/**
 * F8: the disk of store, router state, artifacts and logs runs full while a bad release has users. The rollback still
 * works; nothing new starts; with room again everything goes on.
 */
async function fillDisk(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const runs = scale.runs ?? (scale.quick ? 1 : 3)
  const pipeline = (ports: readonly number[]) => oneRegion(ports).replace("minSamples: 50", "minSamples: 400")
  for (let run = 0; run < runs; run++) {
    scale.say(`F8 run ${run + 1} of ${runs}`)
    await withTrial(findings, scale, { pipeline, prepare: mount, dispose: unmount }, async (trial) => {
      const { cluster } = trial
      const server = join(cluster.dir, "server")
      await trial.begin({ clerkEveryMs: 500 })
      const bad = cluster.commit("bad", "errors")
      await cluster.climb(bad, "shifting")
      fill(server)
      findings.expect(free(server) < 1024 * 1024, "the disk is not full")
      await cluster.climb(bad, ["rolled-back", "aborting", "rolling-back"])
      const share = async () => (await trial.users().served()).lately[bad] ?? 0
      await until("users to leave the bad release", async () => (await share()) === 0 || undefined, 60_000)
      findings.figures.rolledBackWhileFull = true
      const next = cluster.commit("next", "none")
      await pause(8_000)
      const app = await cluster.app()
      const started = app.rollouts.some(({ commit }) => next.startsWith(commit))
      findings.expect(!started, "something new was started on a full disk")
      rmSync(join(server, "filler"), { recursive: true })
      const room = performance.now()
      await until(
        "an order that is taken again",
        async () => {
          const lock = (await cluster.app()).locks[0]
          if (!lock) return true
          await cluster.ask("POST", `/v1/apps/papi/locks/${lock.id}/release`, {
            reason: "mended",
            preventive: "more room",
          })
          return true
        },
        60_000,
      )
      findings.recoveries.push(performance.now() - room)
      // It says so itself: the reserve is laid down anew at the next start.
      await cluster.plane.end("SIGTERM")
      cluster.serve()
      await cluster.climb(next, "succeeded")
      await trial.looksForStrays()
    })
  }
  return findings.result()
}

const mount = (dir: string): void => {
  const server = join(dir, "server")
  mkdirSync(server, { mode: passable() })
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=600m,mode=711", "tmpfs", server])
}

const unmount = (dir: string): void => {
  spawnSync("umount", ["--lazy", join(dir, "server")])
}

const free = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function fill(folder: string): void {
  const filler = join(folder, "filler")
  mkdirSync(filler)
  for (let number = 0; free(folder) > 0; number++) {
    try {
      writeFileSync(join(filler, String(number)), Buffer.alloc(Math.min(free(folder), 4 * 1024 * 1024)))
    } catch {
      if (free(folder) < 1024 * 1024) return
    }
  }
}

const noMount = (): string | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "immunity-mount-"))
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0
  if (mounted) spawnSync("umount", [folder])
  rmSync(folder, { recursive: true, force: true })
  return mounted ? undefined : "no right to mount a tmpfs (root): the disk cannot be filled"
}

export const f08: Fault = { id: "F8", title: "the disk runs full", missing: noMount, run: fillDisk }
