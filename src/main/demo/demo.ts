import { isCancel, select } from "@clack/prompts"
import type { RolloutView } from "../../api/contract/views.ts"
import { exit, Stop } from "../../cli/client.ts"
import { portOf } from "../port.ts"
import { bySwitching } from "./by-switching.ts"
import { type BadEnd, damage } from "./damage.ts"
import { groundFor } from "./ground.ts"
import { climbOf, type Ramped } from "./ramped.ts"
import { type DemoStrategy, type Kind, kinds, strategies } from "./repository.ts"
import { Stage } from "./stage.ts"

export type DemoOptions = {
  readonly bad?: string
  readonly yes?: boolean
  readonly json?: boolean
  readonly keep?: boolean
  readonly port: string
  readonly router?: string
  readonly compute?: string
  readonly strategy?: string
}

const regions = ["sandbox1", "sandbox2", "prod3", "prod4"] as const
/** On each of the two production addresses. */
const perSecond = 150

/** The product's story with real parts and short clocks: a good commit climbs, a bad one comes back by itself. */
export async function demo(options: DemoOptions): Promise<void> {
  const asked = kindOf(options.bad)
  const interactive = process.stdin.isTTY && process.stdout.isTTY && !options.yes
  if (!interactive && !options.yes)
    throw new Stop(exit.usage, "no terminal to ask on: run it with --yes, and --bad to choose")
  const port = portOf(options.port)
  const tell = teller(options.json === true)
  tell("Immunity demo: real servers, real traffic, on this machine only. Ctrl-C removes everything.")
  const ground = await groundFor(options.compute, tell)
  if ("impossible" in ground) return skip(ground.impossible, options, tell)
  const stage = await Stage.open(port, routerOf(options.router), ground, strategyOf(options.strategy)).catch(
    async (error: unknown) => {
      await ground.close()
      throw error instanceof Stop && options.port !== "0"
        ? new Stop(error.code, `${error.message} (the demo takes --port too)`)
        : error
    },
  )
  try {
    tell(
      `pages  ${stage.served.url}/a/papi   (the clocks are short here: seconds where you would take minutes)`,
    )
    const good = await climb(stage, tell)
    const kind = asked ?? (interactive ? await choose() : "errors")
    const bad = await damage(stage, kind, tell)
    const ramp = bad.rollout === undefined ? undefined : climbOf(await stage.rollout(bad.rollout))
    if (bad.rollout !== undefined) await why(stage, bad.rollout, tell)
    tellClimb(ramp, tell)
    if (options.keep) {
      tell(
        `left running for you: ${stage.served.url}/a/papi   token in ${stage.dir}/server/token   Ctrl-C removes everything`,
      )
      await new Promise(() => undefined)
    }
    await finish(stage, good, { ...bad, ramp }, options, tell)
  } catch (error) {
    if (stage.isInterrupted) await new Promise(() => undefined)
    await stage.close()
    throw error
  }
}

/** Nothing was shown: said aloud, and the exit code is not that of a success. */
function skip(because: string, options: DemoOptions, tell: Tell): void {
  tell(`SKIPPED: ${because}`)
  if (options.json) process.stdout.write(`${JSON.stringify({ skipped: because })}\n`)
  process.exitCode = exit.skipped
}

type Tell = (line: string) => void
type Good = {
  readonly release: string
  readonly regions: Readonly<Record<string, string>>
  readonly seconds: number
  /** How its canary climbed, region by region; empty where it did not. */
  readonly ramp: readonly Ramped[]
}

function teller(json: boolean): Tell {
  const began = Date.now()
  return (line) => {
    const seconds = Math.floor((Date.now() - began) / 1_000)
    const stamp = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
    ;(json ? process.stderr : process.stdout).write(`${stamp.padStart(5)}  ${line}\n`)
  }
}

function kindOf(given: string | undefined): Kind | undefined {
  if (given === undefined) return undefined
  const found = kinds.find((kind) => kind === given)
  if (!found)
    throw new Stop(
      exit.usage,
      `--bad ${given} is not a kind of bad commit; choose one of ${kinds.join(", ")}`,
    )
  return found
}

function routerOf(given = "embedded"): "embedded" | "haproxy" {
  if (given === "embedded" || given === "haproxy") return given
  throw new Stop(exit.usage, `--router ${given} is not a router; choose embedded or haproxy`)
}

function strategyOf(given: string | undefined): DemoStrategy {
  const found = strategies.find((strategy) => strategy === (given ?? "immutable"))
  if (found) return found
  throw new Stop(
    exit.usage,
    `--strategy ${given} is not one of the demo's; choose ${strategies.join(" or ")}`,
  )
}

async function choose(): Promise<Kind> {
  const chosen = await select({
    message: "Your turn: pick something bad",
    options: [
      { value: "errors", label: "errors in writes" },
      { value: "slow", label: "slow writes" },
      { value: "crash", label: "a crash loop" },
      { value: "leak", label: "a memory leak" },
      { value: "wrong", label: "wrong answers" },
      { value: "drift", label: "someone edits a server" },
      { value: "blind", label: "the metrics go blind" },
    ],
  })
  if (isCancel(chosen)) throw new Stop(exit.interrupted, "stopped")
  return chosen as Kind
}

/** The first release fills the regions; the second climbs them beside it, watched. */
async function climb(stage: Stage, tell: Tell): Promise<Good> {
  stage.repository.commit("first version", "Ana", "none", 4)
  await stage.order("/v1/apps", { url: `${stage.dir}/repository`, app: "papi" })
  await arrive(stage, 1, tell)
  stage.traffic.start([stage.address("prod3"), stage.address("prod4")], 2 * perSecond)
  tell(`papi runs on prod3 and prod4   ${perSecond} requests per second on each`)
  const began = Date.now()
  const release = stage.repository.commit("faster JSON", "Mira", "none", 3)
  tell(`commit ${release.slice(0, 7)} "faster JSON" is pushed`)
  const states = await arrive(stage, 2, tell)
  const seconds = Math.round((Date.now() - began) / 100) / 10
  tell(`${release.slice(0, 7)} is in production after ${seconds} s`)
  const { rollouts } = await stage.app()
  const mine = rollouts.filter(({ commit }) => release.startsWith(commit)).reverse()
  const ramp = await Promise.all(mine.map(async ({ number }) => climbOf(await stage.rollout(number))))
  return { release, regions: states, seconds, ramp: ramp.flatMap((climb) => tellClimb(climb, tell)) }
}

/** Follows the newest commit through all regions; opens the gate as its person would. */
async function arrive(stage: Stage, nth: number, tell: Tell): Promise<Readonly<Record<string, string>>> {
  const told = new Set<string>()
  return stage.until(`commit ${nth} in every region`, async () => {
    const app = await stage.app()
    if (app.commits.length < nth) return undefined
    const newest = app.commits[0]?.commit
    if (app.commits[0]?.tone === "bad") throw new Error(`${newest}: ${app.commits[0].detail}`)
    const mine = app.rollouts.filter((rollout) => rollout.commit === newest)
    for (const rollout of [...mine].reverse()) {
      const line = `${rollout.region}: ${rollout.sentence}`
      const key = `${rollout.number} ${rollout.phase}`
      if (!told.has(key)) tell(line)
      told.add(key)
      if (rollout.phase === "queued" && rollout.asks) {
        await stage.order(`/v1/apps/papi/rollouts/${rollout.number}/approve`, {
          reason: "it did well in the sandboxes",
        })
        tell(`gate: Mira lets ${rollout.commit} into ${rollout.region}`)
      }
      if (["failed", "rolled-back", "rollback-failed"].includes(rollout.phase))
        throw new Error(rollout.sentence)
    }
    const states = Object.fromEntries(mine.map((rollout) => [rollout.region, rollout.phase]))
    return regions.every((region) => states[region] === "succeeded") ? states : undefined
  })
}

function tellClimb(climb: Ramped | undefined, tell: Tell): readonly Ramped[] {
  if (!climb) return []
  const steps = climb.weights.map(({ weight, seconds }) => `${Math.round(weight * 100)} % after ${seconds} s`)
  tell(`ramp in ${climb.region}: ${steps.join(", ")}`)
  tell(`     ${climb.bound}`)
  return [climb]
}

async function why(stage: Stage, number: number, tell: Tell): Promise<void> {
  const view: RolloutView = await stage.rollout(number)
  tell(`why: ${view.summary.sentence}`)
  if (view.look) tell(`     rule ${view.look.decision.rule}: ${view.look.decision.because}`)
  tell(`     immunity why papi#${number}   ${stage.served.url}/a/papi/r/${number}`)
}

async function finish(
  stage: Stage,
  good: Good,
  bad: BadEnd & { readonly ramp: Ramped | undefined },
  options: DemoOptions,
  tell: Tell,
): Promise<void> {
  const left = await stage.close()
  const { seen } = stage.traffic
  const failed = seen.filter((request) => !request.ok)
  const unblamed = bySwitching(failed, { ...bad, isSilent: routerOf(options.router) === "haproxy" })
  const result = {
    good,
    bad: { ...bad, rollout: undefined, pool: undefined, crashes: undefined },
    traffic: { requests: seen.length, failed: failed.length, failedBySwitching: unblamed.length },
    leftovers: left.length,
  }
  tell(
    `${seen.length} requests, ${failed.length} failed, ${unblamed.length} of them by switching; ${left.length} things left behind`,
  )
  for (const name of left) tell(`left behind: ${name}`)
  for (const request of unblamed.slice(0, 5)) tell(`failed by switching: ${JSON.stringify(request)}`)
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  if (left.length > 0 || unblamed.length > 0 || !bad.asExpected) process.exitCode = exit.broken
}
