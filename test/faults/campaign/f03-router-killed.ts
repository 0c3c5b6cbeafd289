import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { processesOf } from "../../../src/main/demo/leftovers.ts"
import { passable } from "../../../src/main/folders.ts"
import { findHaproxy } from "../../../src/providers/router/haproxy/program.ts"
import { pause, until } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { oneRegion, type Trial, withTrial } from "./stage/trial.ts"

/**
 * F3: kill -9 of the router, with the control plane dead. What was under way is lost with it; the next one serves
 * from its own file. Of two workers one is killed, and only what it had under way may be lost. HAProxy as well.
 */
async function killRouters(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const times = scale.runs ?? (scale.quick ? 2 : 20)
  await withTrial(findings, scale, {}, async (trial) => {
    await trial.begin()
    await trial.cluster.plane.end()
    await killAgain(trial, times, () => find(trial, "main.js router"))
  })
  await withTrial(findings, scale, { prepare: twoWorkers }, async (trial) => {
    await trial.begin()
    await trial.cluster.plane.end()
    for (let kill = 0; kill < times; kill++) await killWorker(trial)
  })
  findings.figures.haproxy = findHaproxy() ? "killed as well" : "SKIPPED: HAProxy is not installed"
  if (findHaproxy()) {
    const pipeline = (ports: readonly number[]) => oneRegion(ports, "router: haproxy\n")
    await withTrial(findings, scale, { pipeline }, async (trial) => {
      await trial.begin()
      await trial.cluster.plane.end()
      await killAgain(trial, Math.ceil(times / 4), () => find(trial, "router/haproxy"))
    })
  }
  return findings.result()
}

const twoWorkers = (dir: string): void => {
  const router = join(dir, "server", "router")
  mkdirSync(join(dir, "server"), { mode: passable() })
  mkdirSync(router, { mode: 0o700 })
  writeFileSync(join(router, "settings.json"), '{ "workers": 2 }\n')
}

const find = (trial: Trial, words: string): readonly number[] =>
  processesOf(trial.cluster.dir).flatMap(({ pid, name }) => (name.includes(words) ? [pid] : []))

/** Kills what carries the traffic and measures until somebody answers again. */
async function killAgain(trial: Trial, times: number, carriers: () => readonly number[]): Promise<void> {
  for (let kill = 0; kill < times; kill++) {
    const found = carriers()
    trial.findings.expect(found.length > 0, "there is no router to kill")
    const excused = trial.excuse()
    const killed = performance.now()
    for (const pid of found) process.kill(pid, "SIGKILL")
    await until("the router to serve again", () => answers(trial), 60_000)
    trial.findings.recoveries.push(performance.now() - killed)
    excused()
    await pause(1_000)
  }
}

const answers = async (trial: Trial): Promise<true | undefined> => {
  const url = `http://127.0.0.1:${trial.cluster.ports[1]}/items`
  return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).status === 200 || undefined
}

async function killWorker(trial: Trial): Promise<void> {
  const [router = 0] = find(trial, "main.js router")
  // Workers say nothing of their folder: they are known by who started them.
  const workers = () =>
    readFileSync(`/proc/${router}/task/${router}/children`, "utf8").trim().split(" ").map(Number)
  await until("two workers", async () => workers().length === 2 || undefined)
  const excused = trial.excuse()
  const killed = performance.now()
  process.kill(workers()[0] ?? 0, "SIGKILL")
  // What it had accepted is lost with it; what comes now must find the other one.
  await pause(100)
  excused()
  await until("the worker's successor", async () => workers().length === 2 || undefined)
  trial.findings.recoveries.push(performance.now() - killed)
  await pause(1_000)
}

export const f03: Fault = {
  id: "F3",
  title: "kill -9 of the router, of one of two workers, and of HAProxy, with the control plane dead",
  run: killRouters,
}
