import { once } from "node:events"
import { existsSync, renameSync, writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { join } from "node:path"
import { git } from "../../support/cluster.ts"
import { pause } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { type Trial, withTrial } from "./stage/trial.ts"

/**
 * F14: the repository comes and goes, its history is rewritten, an object of it is broken, and another repository
 * never answers. What is built is whole or not at all, and what runs is not disturbed.
 */
async function troubleGit(scale: Scale): Promise<Result> {
  const findings = new Findings()
  await withTrial(findings, scale, {}, async (trial) => {
    const { cluster } = trial
    await trial.begin({ clerkEveryMs: 500 })
    const silent = await startSilentServer(trial)
    try {
      await flap(trial, scale.runs ?? (scale.quick ? 2 : 5))
      await rewrite(trial)
      await breakObject(trial)
      findings.runs = 4
    } finally {
      silent.close()
    }
    findings.expect((await cluster.app()).locks.length === 0, "trouble of git locked something")
    await trial.looksForStrays()
  })
  findings.figures.notTried = "a repository larger than the limits of 1 GiB"
  return findings.result()
}

/** Another application's repository takes connections and says a byte a second; it must not hold up anybody. */
async function startSilentServer(trial: Trial) {
  const server = createServer((socket) => {
    const timer = setInterval(() => socket.write("x"), 1_000)
    socket.on("error", () => undefined)
    socket.on("close", () => clearInterval(timer))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const { port } = server.address() as AddressInfo
  await trial.cluster.add(trial.cluster.plane, "silent", `https://127.0.0.1:${port}/silent.git`)
  return server
}

async function flap(trial: Trial, times: number): Promise<void> {
  const { cluster, findings } = trial
  const away = `${cluster.repository}.away`
  for (let time = 0; time < times; time++) {
    renameSync(cluster.repository, away)
    await cluster.until(
      "the trouble to be told",
      async () => (await cluster.app()).problems.some(({ part }) => part === "source") || undefined,
      60_000,
    )
    renameSync(away, cluster.repository)
    const back = performance.now()
    await cluster.until(
      "the repository to be read again",
      async () => !(await cluster.app()).problems.some(({ part }) => part === "source") || undefined,
      60_000,
    )
    findings.recoveries.push(performance.now() - back)
  }
  await cluster.climb(cluster.commit("after flapping", "none"), "succeeded")
}

/** The newest commit is replaced by another one, as a force-push does. */
async function rewrite(trial: Trial): Promise<void> {
  const { cluster } = trial
  const first = cluster.commit("to be rewritten", "none")
  await cluster.climb(first, ["queued", "provisioning", "verifying", "shifting", "succeeded"])
  git(cluster.repository, "reset", "--quiet", "--hard", "HEAD~1")
  const second = cluster.commit("rewritten", "none")
  await cluster.climb(second, "succeeded")
}

/** An object of the newest commit is damaged on its way: it must not be built, and be built when it is whole. */
async function breakObject(trial: Trial): Promise<void> {
  const { cluster, findings } = trial
  git(cluster.repository, "config", "core.looseCompression", "0")
  const away = `${cluster.repository}.away`
  renameSync(cluster.repository, away)
  const commit = cluster.commit("broken on its way", "none", { "data.txt": "whole\n".repeat(100) }, away)
  const id = git(away, "rev-parse", "HEAD:data.txt").trim()
  const object = join(away, ".git", "objects", id.slice(0, 2), id.slice(2))
  renameSync(object, `${object}.whole`)
  writeFileSync(object, "torn")
  renameSync(away, cluster.repository)
  await pause(12_000)
  const seen = (await cluster.app()).commits.find((known) => commit.startsWith(known.commit))
  findings.expect(seen?.state !== "built", "a broken commit was built")
  findings.figures.brokenCommitWas = seen?.state ?? "not taken in"
  const broken = object.replace(away, cluster.repository)
  if (existsSync(`${broken}.whole`)) renameSync(`${broken}.whole`, broken)
  await cluster.climb(commit, "succeeded")
}

export const f14: Fault = { id: "F14", title: "trouble with git", run: troubleGit }
