import { freePorts } from "../../../src/main/demo/free-ports.ts"
import type { ControlPlane } from "../../support/control-plane.ts"
import { pause, until } from "../../support/until.ts"
import { Clerk } from "./stage/clerk.ts"
import { Pair } from "./stage/pair.ts"
import type { Findings, Scale } from "./stage/result.ts"
import { type Trial, withTrial } from "./stage/trial.ts"

/** Epochs of one timeline of a database (src/store/epochs.ts). */
const block = 2 ** 40

type Staged = { readonly trial: Trial; readonly pair: Pair; readonly plane: ControlPlane }

/** A control plane on the one address of a pair of databases, with its first release deployed and users before it. */
async function onPair(
  findings: Findings,
  scale: Scale,
  how: "synchronous" | "asynchronous",
  part: (staged: Staged) => Promise<void>,
): Promise<void> {
  scale.say(`F7: fail-over to ${how === "synchronous" ? "a synchronous" : "an asynchronous"} standby`)
  const pair = await Pair.open()
  const [port = 0] = await freePorts(1)
  await withTrial(findings, scale, {}, async (trial) => {
    try {
      trial.cluster.shareToken()
      const plane = trial.cluster.beside("one", port, { env: { IMMUNITY_DB: pair.store.url } })
      plane.stay()
      await trial.settle(plane)
      await pair.follow(how)
      trial.users()
      await part({ trial, pair, plane })
    } finally {
      await trial.close(() => pair.store.booked())
    }
  })
  await pair.close()
}

/** The primary is killed under orders in the middle of rollouts; nothing may be lost, and rollouts go on. */
export const toSynchronous = (findings: Findings, scale: Scale, kills: number): Promise<void> =>
  onPair(findings, scale, "synchronous", async ({ trial, pair, plane }) => {
    const { cluster } = trial
    const clerk = await trial.clerk([plane], 50)
    for (let kill = 0; kill < kills; kill++) {
      const good = cluster.commit(`over ${kill}`, "none")
      await cluster.climb(good, kill % 2 === 0 ? ["shifting", "baking"] : ["provisioning", "shifting"], plane)
      const epoch = await trial.epoch()
      const before = clerk.acknowledged.length
      // Every other time it takes longer than anybody may act on a lease, so that all are taken anew.
      await pair.failOver(kill % 2 === 0 ? 6_000 : 0)
      const back = performance.now()
      await until("an order to be taken", async () => clerk.acknowledged.length > before || undefined, 60_000)
      findings.recoveries.push(performance.now() - back)
      findings.runs += 1
      if (kill % 2 === 0) await isAbove(trial, pair, epoch)
      await cluster.climb(good, "succeeded", plane)
      if (kill + 1 < kills) await pair.follow("synchronous")
    }
    findings.figures.failOvers = kills
    findings.expect(plane.starts === 1, `the control plane did not survive a fail-over: ${plane.lastWords}`)
    await trial.looksForStrays(plane)
  })

/** The router obeys an epoch of the new timeline, and the one before it is refused. */
async function isAbove(trial: Trial, pair: Pair, before: number): Promise<void> {
  const least = (pair.timeline - 1) * block
  const now = await until(
    `an epoch above ${least}`,
    async () => {
      const epoch = await trial.epoch()
      return epoch > least ? epoch : undefined
    },
    60_000,
  )
  trial.findings.figures.epochs = `${before} then ${now}`
  const late = await trial.cluster.agent.fence("papi", before, AbortSignal.timeout(10_000))
  trial.findings.expect(late.kind === "refused", `an epoch of the old timeline was taken: ${before}`)
}

/**
 * A standby that had not received everything takes over: the control plane remembers what is lost, says so and ends, and
 * its next start goes on from what is there. First orders and the end of a rollout are lost, then a rollout as a whole.
 */
export const toAsynchronous = (findings: Findings, scale: Scale): Promise<void> =>
  onPair(findings, scale, "asynchronous", async (staged) => {
    const { trial, pair, plane } = staged
    const { cluster } = trial
    const clerk = new Clerk([plane], 100)
    const good = cluster.commit("good", "none")
    await cluster.climb(good, "shifting", plane)
    await pair.cutOff()
    await clerk.start()
    await until("orders that will be lost", async () => clerk.acknowledged.length > 10 || undefined, 60_000)
    await clerk.stop()
    await goesBack(staged)
    const lost = clerk.missingIn(await pair.store.booked()).length
    findings.figures.lostByAsynchronous = lost
    findings.expect(lost > 0, "nothing was lost: the standby was not behind")
    await cluster.climb(good, "succeeded", plane)

    await cluster.quiet(plane)
    await pair.follow("asynchronous")
    await pair.cutOff()
    const later = cluster.commit("later", "none")
    await cluster.climb(later, "succeeded", plane)
    // So that those that were replaced have drained and are gone.
    await cluster.quiet(plane)
    await pause(10_000)
    await goesBack(staged)
    await until(
      "its servers to be ahead",
      async () => (await plane.app()).sentence.includes("ahead") || undefined,
    )
    await pause(3_000)
    await plane.ask("POST", "/v1/apps/papi/resume", { reason: "what was lost is lost" })
    await cluster.climb(later, "succeeded", plane)
    await trial.looksForStrays(plane)
  })

/** The standby, which is behind, takes over: the control plane says so and ends, once, and begins under newer epochs. */
async function goesBack({ trial, pair, plane }: Staged): Promise<void> {
  const { findings } = trial
  const { starts } = plane
  const epoch = await trial.epoch()
  await pair.failOver()
  const back = performance.now()
  await until("the control plane to notice", async () => plane.starts > starts || undefined, 60_000)
  findings.recoveries.push(performance.now() - back)
  findings.runs += 1
  findings.expect(
    /the journal went back: .* Start it again/.test(plane.lastWords),
    `it did not say that the journal went back: ${plane.lastWords}`,
  )
  await isAbove(trial, pair, epoch)
  await pause(1_000)
  findings.expect(
    plane.starts === starts + 1,
    `it started ${plane.starts - starts} times: ${plane.lastWords}`,
  )
}
