import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { processesOf } from "../../../src/main/demo/leftovers.ts"
import { phaseOf } from "../../support/control-plane.ts"
import { pause } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { type Trial, withTrial } from "./stage/trial.ts"

const sampleEveryMs = 2_000

/**
 * F19: a nemesis chooses at random what happens next, while good and bad releases come without an end: the control
 * plane or the agent is killed or frozen, the repository is away, the kill switch is set and taken off again.
 */
async function soak(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const chance = seeded(scale.runs ?? 4_711)
  await withTrial(findings, scale, {}, async (trial) => {
    await trial.begin({ clerkEveryMs: 700 })
    const over = performance.now() + scale.soakMinutes * 60_000
    const samples = sampling(trial, over)
    const releases = releaseWithoutEnd(trial, over, chance)
    const done: Record<string, number> = {}
    try {
      while (performance.now() < over) {
        const name = pick(Object.keys(nemeses), chance)
        done[name] = (done[name] ?? 0) + 1
        await nemeses[name]?.(trial, chance)
        await pause(1_000 + chance() * 4_000)
      }
    } finally {
      findings.figures.nemeses = done
      findings.figures.outcomes = await releases
      Object.assign(findings.figures, slopes(await samples))
    }
    findings.runs = Object.values(done).reduce((sum, one) => sum + one, 0)
    await unlock(trial)
    const last = trial.cluster.commit("after all of it", "none")
    await trial.cluster.climb(last, "succeeded")
    await trial.looksForStrays()
  })
  findings.figures.soakMinutes = scale.soakMinutes
  findings.figures.scaledDown = "24 h in the specification; npm run faults -- --only F19 --soak 24"
  return findings.result()
}

type Chance = () => number

const pidOf = (trial: Trial, what: string): number | undefined =>
  processesOf(trial.cluster.dir).find(({ name }) => name.includes(`main.js ${what}`))?.pid

function send(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, signal)
  } catch {
    // It ended meanwhile by another hand.
  }
}

async function freeze(pid: number | undefined, ms: number): Promise<void> {
  send(pid, "SIGSTOP")
  await pause(ms)
  send(pid, "SIGCONT")
}

const nemeses: Readonly<Record<string, (trial: Trial, chance: Chance) => Promise<void>>> = {
  killControlPlane: async (trial) => trial.cluster.kill(),
  killAgent: async (trial) => send(pidOf(trial, "agent"), "SIGKILL"),
  freezeControlPlane: (trial, chance) => freeze(pidOf(trial, "serve"), 1_000 + chance() * 9_000),
  freezeAgent: (trial, chance) => freeze(pidOf(trial, "agent"), 500 + chance() * 4_000),
  hideRepository: async (trial, chance) => {
    const { repository } = trial.cluster
    // Whoever commits waits for it to come back.
    hidden = true
    renameSync(repository, `${repository}.away`)
    await pause(1_000 + chance() * 8_000)
    renameSync(`${repository}.away`, repository)
    hidden = false
  },
  killSwitch: async (trial, chance) => {
    const file = join(trial.cluster.dir, "server", "kill-switch")
    writeFileSync(file, "")
    await pause(1_000 + chance() * 5_000)
    rmSync(file)
  },
}

let hidden = false

/** Good and bad releases after each other; how many ended in which way. */
async function releaseWithoutEnd(
  trial: Trial,
  over: number,
  chance: Chance,
): Promise<Readonly<Record<string, number>>> {
  const outcomes: Record<string, number> = {}
  const ends = ["succeeded", "rolled-back", "failed", "superseded", "cancelled"]
  for (let number = 0; performance.now() < over; number++) {
    while (hidden) await pause(50)
    const isBad = chance() < 0.3
    const commit = trial.cluster.commit(`${isBad ? "bad" : "good"} ${number}`, isBad ? "errors" : "none")
    let phase = "none"
    const patience = performance.now() + 240_000
    while (!ends.includes(phase) && performance.now() < patience) {
      phase = await phaseOf(trial.cluster.plane, commit).catch(() => "none")
      if (phase === "holding") await approve(trial, commit)
      await pause(200)
    }
    const expected = isBad ? ["rolled-back", "failed"] : ["succeeded", "superseded"]
    trial.findings.expect(expected.includes(phase), `a ${isBad ? "bad" : "good"} release ended as ${phase}`)
    const key = `${isBad ? "bad" : "good"}:${phase}`
    outcomes[key] = (outcomes[key] ?? 0) + 1
    await unlock(trial)
  }
  return outcomes
}

/** After three rollbacks in ten minutes people are asked: they follow what it proposes. */
async function approve(trial: Trial, commit: string): Promise<void> {
  const { plane } = trial.cluster
  const app = await plane.app().catch(() => undefined)
  const mine = app?.rollouts.find((rollout) => commit.startsWith(rollout.commit) && rollout.asks)
  const path = `/v1/apps/papi/rollouts/${mine?.number}/approve`
  if (mine) await plane.ask("POST", path, { reason: "as it proposes" }).catch(() => undefined)
}

/** Until it is done, whatever is dead or switched off at the moment. */
async function unlock(trial: Trial): Promise<void> {
  const body = { reason: "mended", preventive: "a test" }
  await trial.cluster.until(
    "all locks to be released",
    async () => {
      const [lock] = (await trial.cluster.app()).locks
      if (lock) await trial.cluster.ask("POST", `/v1/apps/papi/locks/${lock.id}/release`, body)
      return lock === undefined || undefined
    },
    120_000,
  )
}

type Sample = { readonly seconds: number; readonly rssMb: number; readonly descriptors: number }

/** Of the router, which nobody restarts here: what leaks shows in it. */
async function sampling(trial: Trial, over: number): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  const pid = pidOf(trial, "router")
  const began = performance.now()
  while (performance.now() < over) {
    await pause(sampleEveryMs)
    try {
      const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
      const descriptors = readdirSync(`/proc/${pid}/fd`).length
      const seconds = (performance.now() - began) / 1_000
      samples.push({ seconds, rssMb: Number(kb) / 1_024, descriptors })
    } catch {
      trial.findings.expect(false, "the router is gone")
      break
    }
  }
  return samples
}

/** Least squares over the second half: the first one is warming up. */
function slopes(all: readonly Sample[]): Readonly<Record<string, number>> {
  const half = all.slice(Math.floor(all.length / 2))
  const perHour = (of: (sample: Sample) => number): number => {
    const mean = (get: (sample: Sample) => number) =>
      half.reduce((sum, one) => sum + get(one), 0) / half.length
    const [x, y] = [mean(({ seconds }) => seconds), mean(of)]
    const over = half.reduce((sum, one) => sum + (one.seconds - x) * (of(one) - y), 0)
    const under = half.reduce((sum, one) => sum + (one.seconds - x) ** 2, 0)
    return Math.round((under === 0 ? 0 : over / under) * 3_600 * 10) / 10
  }
  return {
    routerRssMb: Math.round(all.at(-1)?.rssMb ?? 0),
    routerRssMbPerHour: perHour(({ rssMb }) => rssMb),
    routerDescriptors: all.at(-1)?.descriptors ?? 0,
    routerDescriptorsPerHour: perHour(({ descriptors }) => descriptors),
  }
}

const pick = (names: readonly string[], chance: Chance): string =>
  names[Math.floor(chance() * names.length)] ?? ""

/** mulberry32 (Tommy Ettinger, public domain): the same nemeses again for the same seed. */
function seeded(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const f19: Fault = { id: "F19", title: "a nemesis chooses at random", run: soak }
