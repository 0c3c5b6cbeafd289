import {
  observe,
  observeControlBefore,
  observeWarmUp,
  startJudge,
  verdicts,
} from "../../src/core/judge/judge.ts"
import type { Verdict } from "../../src/core/model/verdict.ts"
import { evolve } from "../../src/core/pipeline/evolve.ts"
import { nothing } from "../../src/core/pipeline/nothing.ts"
import { terminal } from "../../src/core/rollout/rollout.ts"
import type { Cluster } from "../cluster.ts"
import { commitId } from "../source.ts"
import { linkHash } from "../store.ts"
import type { Past } from "./log.ts"
import { sameData } from "./same-data.ts"

/** What keeps the cluster from being at rest, in words; undefined when everything is done. */
export function unrest(cluster: Cluster): string | undefined {
  const { check, planes, scenario, server, store } = cluster
  for (const plane of planes) if (!plane.up) return `${plane.name} is down`
  for (const { name, releases } of scenario.apps) {
    const state = check.log.state(name)
    if (!state) return `${name} has no events`
    if (
      state.commits.length < 1 ||
      !state.commits.some(({ id }) => id === commitId(name, releases.length - 1))
    )
      return `${name}: the last commit was not seen`
    const busy = state.commits.find(({ state: { name: now } }) => now === "waiting" || now === "building")
    if (busy) return `${name}: a commit is ${busy.state.name}`
    for (const rollout of Object.values(state.rollouts))
      if (!terminal(rollout.phase)) return `${name}: rollout ${rollout.number} is ${rollout.phase.name}`
    for (const region of state.regions)
      for (const instance of Object.values(region.instances)) {
        if (instance.retired) return `${name}: ${instance.id} is on its way out`
        if (instance.state !== "ready") return `${name}: ${instance.id} is ${instance.state}`
      }
    if (state.drill) return `${name}: drill ${state.drill.number} is not gone`
    const wanted = new Set(state.regions.flatMap((region) => Object.keys(region.instances)))
    for (const [id, instance] of server.instances)
      if (instance.app === name && !instance.stopped && (!wanted.has(id) || instance.differences.length > 0))
        return `${name}: ${id} was left behind`
    for (const id of wanted)
      if (server.instances.get(id)?.stopped !== false || server.instances.get(id)?.endedAt !== undefined)
        return `${name}: ${id} is missing`
    for (const { name: plane, engine } of planes) {
      if (engine?.version(name) !== store.streams.get(name)?.length)
        return `${name}: ${plane} has not heard of everything`
      const [problem] = engine?.problems(name) ?? []
      if (problem) return `${name}: ${plane} reports ${problem[0]}: ${problem[1]}`
    }
  }
  if (store.outbox.some(({ dead }) => !dead)) return "notices wait to be told"
  return undefined
}

/** Which of the liveness promises an unrest breaks. */
export function livenessOf(unrest: string): string {
  if (/left behind|missing|on its way out|is starting|is unready|is ended/.test(unrest)) return "L2"
  if (/has no events|not seen|not heard/.test(unrest)) return "L3"
  if (/notices/.test(unrest)) return "L4"
  return "L1"
}

/** What can be said only of a whole run. */
export function lookBack(cluster: Cluster): void {
  const { check, store, planes } = cluster
  for (const [stream, events] of store.streams) {
    let previous = ""
    let folded = nothing(stream)
    events.forEach((stored, i) => {
      if (stored.version !== i + 1)
        check.violated("I14", `${stream}: version ${stored.version} at place ${i + 1}`)
      if (linkHash(stored, stored.version, previous) !== stored.hash)
        check.violated("I14", `${stream}: event ${i + 1} was altered`)
      previous = stored.hash
      folded = evolve(folded, stored)
    })
    const state = check.log.state(stream)
    if (state === undefined || folded.nextRollout !== state.nextRollout)
      check.violated("I15", `${stream}: the fold is not the state`)
    for (const { name, engine } of planes) {
      if (!engine || engine.version(stream) !== events.length) continue
      if (!sameData(engine.state(stream), state))
        check.violated("I15", `${stream}: ${name} believes something else than the log says`)
    }
    total(cluster, stream)
    judged(cluster, stream)
  }
  untold(cluster)
  for (const acked of check.acked)
    if (store.streams.get(acked.stream)?.[acked.version - 1]?.hash !== acked.hash)
      check.violated("I14", `${acked.stream}: acknowledged event ${acked.version} is lost`)
  for (const [id, app] of check.doneCommands)
    if (!store.commands.has(id) && !id.startsWith("duty")) {
      // A command that changed nothing has no entry; one that did must have one.
      const changed = store.streams.get(app)?.some(({ by }) => by === id)
      if (changed) check.violated("I16", `${app}: command ${id} took effect and is not remembered`)
    }
}

/** What people outside are told about has reached them; dead letters are a failure that is shown. */
function untold({ check, store, notices, policies }: Cluster): void {
  const early = store.outbox.find(({ attempts }) => attempts < 10)
  if (early) check.violated("L4", `${early.notice.id} was given up after ${early.attempts} attempts`)
  if (store.outbox.length > 0) return
  for (const [stream, events] of store.streams) {
    if (!policies.has(stream)) continue
    // Whom to tell stands in what was built.
    const built = events.findIndex(({ event }) => event.type === "build-succeeded")
    for (const { event, at } of built < 0 ? [] : events.slice(built)) {
      if (event.type !== "locked" && event.type !== "abort-started") continue
      const told = [...notices].some((id) => id.startsWith(`${stream}-${at}-`) && id.endsWith(event.type))
      if (!told) check.violated("L4", `${stream}: nobody was told of ${event.type} at ${at}`)
    }
  }
}

/** Any event on any state is defined. */
function total({ check, store }: Cluster, stream: string): void {
  const state = check.log.state(stream) ?? nothing(stream)
  for (const stored of (store.streams.get(stream) ?? []).slice(-20)) {
    try {
      for (const from of [state, nothing(stream)])
        if (evolve(from, stored) === undefined) check.violated("I18", `${stored.event.type} leaves nothing`)
    } catch (error) {
      check.violated("I18", `${stored.event.type} throws: ${String(error)}`)
    }
  }
}

type Bundle = { readonly until: number; readonly stage: string; readonly verdicts: readonly Verdict[] }

/** The stored intervals alone give the verdicts that were decided on. */
function judged(cluster: Cluster, stream: string): void {
  const { check, faults, store } = cluster
  // Who asks gives up after a while; what the store stores after that was never heard, and nobody fences it.
  const tooLate = faults.fired.some(
    ({ site, kind, forMs }) => site.endsWith("store.add-interval") && kind === "delay" && forMs > 5_000,
  )
  if (tooLate) return
  for (const rollout of Object.values(check.log.state(stream)?.rollouts ?? {})) {
    const look = rollout.lastLook
    const policy = rollout.policy.regions.find(({ name }) => name === rollout.region)
    const compared = check.log.past(stream, rollout.number)?.compared
    const bundle = compared === undefined ? undefined : (store.get(compared) as Bundle | undefined)
    if (look && store.get(look.evidence) === undefined)
      check.violated("I29", `${stream}: the evidence of rollout ${rollout.number} is gone`)
    if (bundle?.stage !== "shifting") continue
    let judge = startJudge(rollout.policy.metrics, {
      minSamples: policy?.compare?.minSamples ?? 0,
      solo: false,
    })
    const before = rollout.from === undefined ? [] : store.intervals(stream, rollout.from, "baking")
    let watchedUntil = Number.NEGATIVE_INFINITY
    for (const { from, to, measurements } of before) {
      // Added by whoever had lost the watch without knowing it; the time was measured already.
      if (from < watchedUntil) continue
      watchedUntil = to
      judge = measurements.reduce(observeControlBefore, judge)
    }
    for (const interval of store.intervals(stream, rollout.number, "shifting")) {
      if (interval.to > bundle.until) break
      const hear = interval.judged ? observe : observeWarmUp
      for (const measurement of interval.measurements) judge = hear(judge, measurement)
    }
    if (JSON.stringify(verdicts(judge)) !== JSON.stringify(bundle.verdicts))
      check.violated(
        "I29",
        `${stream}: the stored intervals of rollout ${rollout.number} give other verdicts than were decided on`,
      )
  }
}

/** What only the control planes' own troubles may delay and never change. */
export function outcomes(cluster: Cluster): void {
  const { check, scenario, source } = cluster
  const harmless = ["crash", "pause", "partition", "router-restart", "clock-rate", "source"]
  if (scenario.happenings.some(({ kind }) => !harmless.includes(kind))) return
  for (const { name, releases } of scenario.apps) {
    const state = check.log.state(name)
    for (const past of check.log.pasts.values()) if (past.app === name) mustGoBackAlone(cluster, past)
    const last = releases.length - 1
    const commit = commitId(name, last)
    for (const region of state?.regions ?? []) {
      const serving = region.stable === undefined ? undefined : state?.rollouts[region.stable]
      const stable = serving?.release
      // With nothing to go back to, or after a person has accepted it anywhere, a bad release may serve.
      const accepted = cluster.store.streams
        .get(name)
        ?.some(
          ({ event, by }) =>
            event.type === "hold-ended" &&
            state?.rollouts[event.rollout]?.release === stable &&
            by !== "immunity",
        )
      const nature = serving?.from === undefined || accepted ? undefined : source.natureOf(serving.release)
      if (releases[last]?.nature === "good" && stable !== commit && !behindBad(cluster, name, last))
        check.violated("L1", `${name}: the good release is not in ${region.name}`)
      if (
        nature === "never-healthy" ||
        nature === "crashes" ||
        nature === "failing-test" ||
        nature === "errors"
      )
        if (region.policy.production)
          check.violated("L1", `${name}: a release that ${nature} serves ${region.name}`)
    }
  }
}

/** In a world where only planes and calls fail, what is plainly bad goes back without anybody's help. */
function mustGoBackAlone({ check, source, scenario, store }: Cluster, past: Past): void {
  const rollout = check.log.state(past.app)?.rollouts[past.number]
  const calm = scenario.happenings.every(({ kind }) => kind === "clock-rate") && scenario.bursts.length === 0
  if (!calm || source.natureOf(past.release) !== "errors" || rollout?.from === undefined) return
  if (past.queued.schedule.every(({ analysis }) => !analysis) || !rollout.hadTraffic) return
  // Beside one that became bad after its bake it is no worse: the world is sick then, and a person is called.
  const control = check.log.state(past.app)?.rollouts[rollout.from]?.release
  if (control === undefined || source.natureOf(control) !== "good") return
  const events = store.streams.get(past.app)?.map(({ event }) => event) ?? []
  const seen = events.some(
    (event) =>
      (event.type === "abort-started" && event.rollout === past.number && event.automatic) ||
      (event.type === "held" && event.rollout === past.number && event.hold.why !== "unsure"),
  )
  if (!seen) check.violated("L1", `${past.app}: rollout ${past.number} is bad, and only a person said so`)
}

/** A person may have taken back more than the machine would have; then the last release waits for one, too. */
const behindBad = (cluster: Cluster, app: string, last: number): boolean =>
  cluster.check.log.state(app)?.quarantine[commitId(app, last)] !== undefined &&
  cluster.scenario.apps.some(({ releases }) => releases.some(({ irreversible }) => irreversible))
