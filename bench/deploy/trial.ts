import type { TimelineEntry } from "../../src/api/contract/views.ts"
import { Cluster } from "../../test/support/cluster.ts"
import { dockerfile } from "./direct.ts"
import { Users } from "./users.ts"

export const strategies = ["immutable", "blue-green", "one-at-a-time", "canary"] as const
export type Strategy = (typeof strategies)[number]

/** What a canary has, step by step. */
const weights = [0.1, 0.5, 1]

/** How many instances each step of a strategy starts at once; their times add up to what nobody can beat. */
export function batches(strategy: Strategy, size: number): readonly number[] {
  if (strategy === "one-at-a-time") return Array<number>(size).fill(1)
  if (strategy !== "canary") return [size]
  const totals = weights.map((weight) => Math.ceil(weight * size - 1e-9))
  return totals.map((total, i) => total - (totals[i - 1] ?? 0)).filter((count) => count > 0)
}

export type Ground = { readonly socket: string; readonly base: string } | undefined

export type Trial = {
  readonly replaced: number
  /** What was measured beside the same users, just before. */
  readonly limit: number
  readonly swapBack: number
  readonly drill: number
  readonly failed: number
  readonly answers: number
}

const patience = 600_000

/**
 * One region, one strategy, through control plane, agent and router: replaced, then swapped back. Seconds. `limit`
 * measures what nobody can beat, while the same users ask the same region: they take a good part of the machine.
 */
export async function trial(
  strategy: Strategy,
  size: number,
  startMs: number,
  ground: Ground,
  limit: () => Promise<number>,
): Promise<Trial> {
  const args = ground ? ["--compute", "docker", "--engine", ground.socket] : []
  const text = ([port]: readonly number[]) => pipeline(strategy, size, startMs, port ?? 0, "0s")
  const cluster = await Cluster.open(1, text, { args })
  const files: Readonly<Record<string, string>> = ground ? { Dockerfile: dockerfile(ground.base) } : {}
  try {
    cluster.commit("first version", "none", files)
    cluster.serve()
    await cluster.add()
    await cluster.until("the first version", () => phase(cluster, 1, ["succeeded"]), patience)
    const drill = await drilled(cluster)
    const users = new Users(cluster.ports[1] ?? 0)
    const beside = await limit()
    // It goes on being watched after it has everything, so that it can be taken back from there.
    const watched = pipeline(strategy, size, startMs, cluster.ports[1] ?? 0, "1h")
    const second = cluster.commit("second version", "none", { "immunity.yaml": watched })
    await cluster.until("the second version", () => phase(cluster, 2, ["baking"]), patience)
    const timeline = (await cluster.timeline()).filter((entry) => entry.rollout === 2)
    const replaced = at(timeline, "bake-started") - at(timeline, "rollout-started")
    const decided = Date.now()
    await cluster.ask("POST", "/v1/apps/papi/rollouts/2/rollback", { reason: "swap back" })
    await cluster.until("the swap back", () => phase(cluster, 2, ["rolled-back"]), patience)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await users.leave()
    const stale = users.answers.filter(({ release, at }) => release === second && at > decided)
    const last = Math.max(decided, ...stale.map(({ at }) => at))
    return {
      replaced: replaced / 1_000,
      limit: beside,
      swapBack: (last - decided) / 1_000,
      drill,
      failed: users.answers.filter(({ ok }) => !ok).length,
      answers: users.answers.length,
    }
  } finally {
    const left = await cluster.close()
    for (const name of left) process.stderr.write(`left behind: ${name}\n`)
  }
}

/** The region from its images alone, beside itself: seconds until all its instances are healthy. */
async function drilled(cluster: Cluster): Promise<number> {
  await cluster.ask("POST", "/v1/apps/papi/drill", { reason: "how long does it take?" })
  const gone = async () => {
    const { drill, drills } = await cluster.app()
    return drill === undefined ? drills[0] : undefined
  }
  const { rebuiltMs, sentence } = await cluster.until("the drill", gone, patience)
  if (rebuiltMs === undefined) throw new Error(sentence)
  return rebuiltMs / 1_000
}

async function phase(
  cluster: Cluster,
  rollout: number,
  wanted: readonly string[],
): Promise<true | undefined> {
  const found = (await cluster.app()).rollouts.find(({ number }) => number === rollout)
  if (found && ["failed", "cancelled"].includes(found.phase)) throw new Error(found.sentence)
  return found && wanted.includes(found.phase) ? true : undefined
}

function at(timeline: readonly TimelineEntry[], type: string): number {
  const found = timeline.find((entry) => entry.type === type)
  if (!found) throw new Error(`the timeline has no ${type}`)
  return found.at
}

const pipeline = (
  strategy: Strategy,
  size: number,
  startMs: number,
  port: number,
  bake: string,
): string => `version: 1
app: papi
start: node server.js
run:
  health: { path: /healthz, every: 1s, timeout: 5s, healthy: 1, unhealthy: 10 }
  drain: 1s
  env: { START_MS: "${startMs}" }
regions:
  - name: prod
    listen: ${port}
    size: ${size}
    traffic: none
    strategy: ${strategy}
    bake: ${bake}
    deadline: 10m
${strategy === "canary" ? `    canary: [${weights.map((weight) => `${weight * 100}%`).join(", ")}]\n` : ""}metrics: none
`
