import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"
import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { temporaryFolder } from "../../../src/main/demo/leftovers.ts"
import type { ControlPlane } from "../../support/control-plane.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { noPostgres, SharedStore } from "./stage/shared.ts"
import { type Trial, withTrial } from "./stage/trial.ts"

/**
 * F17: the control plane itself is upgraded from the commit before this one (N−1) to this one (N) and taken back, each
 * time in the middle of a rollout; on PostgreSQL both serve together and hand the application to each other.
 */
async function upgrade(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const dir = temporaryFolder("immunity-before")
  try {
    const old = buildBefore(dir)
    const rounds = scale.runs ?? (scale.quick ? 1 : 3)
    scale.say("F17: N−1 and N after each other on one SQLite file")
    await withTrial(findings, scale, { program: old }, (trial) => afterEachOther(trial, old, rounds))
    if (noPostgres() === undefined) {
      scale.say("F17: N−1 and N together on one PostgreSQL")
      const store = await SharedStore.open()
      await withTrial(findings, scale, {}, async (trial) => {
        try {
          await together(trial, store, old, rounds)
        } finally {
          await trial.close(() => store.booked())
        }
      })
      await store.close()
    } else findings.figures.together = `SKIPPED: ${noPostgres()}`
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  findings.figures.before = execFileSync("git", ["rev-parse", "--short", "HEAD~1"], {
    encoding: "utf8",
  }).trim()
  return findings.result()
}

/** The program of the commit before this one. */
function buildBefore(dir: string): string {
  const tar = execFileSync("git", ["archive", "HEAD~1"], { maxBuffer: 1024 ** 3 })
  mkdirSync(dir, { recursive: true })
  execFileSync("tar", ["-x", "-C", dir], { input: tar })
  symlinkSync(resolve("node_modules"), join(dir, "node_modules"))
  execFileSync("npm", ["run", "--silent", "build"], { cwd: dir, stdio: ["ignore", "ignore", "ignore"] })
  return join(dir, "bin", "immunity")
}

async function afterEachOther(trial: Trial, old: string, rounds: number): Promise<void> {
  const { cluster, findings } = trial
  const { plane } = cluster
  await trial.begin({ clerkEveryMs: 300 })
  for (let round = 0; round < 2 * rounds; round++) {
    const next = round % 2 === 0 ? "bin/immunity" : old
    const good = cluster.commit(`good ${round}`, "none")
    await cluster.climb(good, ["verifying", "shifting"])
    const epoch = await trial.epoch()
    await plane.end("SIGTERM")
    const ended = performance.now()
    plane.program = next
    plane.stay()
    findings.expect(await trial.recovery(ended, epoch), `nobody reconciles after change ${round}`)
    await cluster.climb(good, "succeeded")
    findings.runs += 1
  }
  await trial.looksForStrays()
}

async function together(trial: Trial, store: SharedStore, old: string, rounds: number): Promise<void> {
  const { cluster, findings } = trial
  cluster.shareToken()
  const [one = 0, two = 0] = await freePorts(2)
  const env = { IMMUNITY_DB: store.url }
  const planes = [
    cluster.beside("before", one, { env, program: resolve(old) }),
    cluster.beside("now", two, { env }),
  ] as const
  // The older one makes the tables, the newer one migrates them under its eyes.
  planes[0].stay()
  await trial.settle(planes[0])
  planes[1].stay()
  await cluster.add(planes[1])
  trial.users()
  await trial.clerk(planes, 500)
  for (let round = 0; round < rounds; round++) {
    const good = cluster.commit(`good ${round}`, "none")
    const { plane: holder, epoch } = await store.holder(planes)
    const heir = other(planes, holder)
    await cluster.climb(good, ["verifying", "shifting"], heir)
    const ended = performance.now()
    await holder.end("SIGTERM")
    findings.expect(await trial.recovery(ended, epoch), "the other one did not take over")
    await cluster.climb(good, "succeeded", heir)
    holder.stay()
    await cluster.add(holder)
    findings.runs += 1
  }
  await trial.looksForStrays(planes[1])
}

const other = (planes: readonly [ControlPlane, ControlPlane], one: ControlPlane): ControlPlane =>
  planes[0] === one ? planes[1] : planes[0]

const noHistory = (): string | undefined =>
  spawnSync("git", ["rev-parse", "--verify", "HEAD~1"]).status === 0
    ? undefined
    : "this checkout has no history: there is no version before this one to build"

export const f17: Fault = {
  id: "F17",
  title: "the control plane itself is upgraded and taken back",
  missing: noHistory,
  run: upgrade,
}
