import { connect, type Socket } from "node:net"
import { processesOf } from "../../../src/main/demo/leftovers.ts"
import { pause, until } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { withTrial } from "./stage/trial.ts"

/** Enough for a hundred users a second, with what our router keeps back for their requests. */
const most = 400

/**
 * F9: every process may open few files, and strangers take all connections of the router that they can get and keep
 * them. Meanwhile a rollout goes its way; as soon as the strangers are gone, users are served again, by the same
 * router.
 */
async function useUpDescriptors(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const before = ["prlimit", `--nofile=${most}:${most}`]
  const gentle = { ...scale, rate: Math.min(scale.rate, 100) }
  await withTrial(findings, gentle, { before }, async (trial) => {
    const { cluster } = trial
    await trial.begin({ clerkEveryMs: 500 })
    const router = () => processesOf(cluster.dir).find(({ name }) => name.includes("main.js router"))?.pid
    const pid = router()
    const port = cluster.ports[1] ?? 0
    for (let round = 0; round < (scale.runs ?? (scale.quick ? 1 : 3)); round++) {
      const excused = trial.excuse()
      const strangers = await occupy(port, 2 * most)
      const good = cluster.commit(`good ${round}`, "none")
      const phase = await cluster.until(
        "the rollout to go its way without users being served",
        async () => {
          const app = await cluster.app()
          return (
            app.commits.find(({ commit, state }) => good.startsWith(commit) && state === "built") && "built"
          )
        },
        120_000,
      )
      findings.expect(phase === "built", "the control loop stood still")
      for (const stranger of strangers) stranger.destroy()
      const gone = performance.now()
      await until("an answer", async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/items`, { signal: AbortSignal.timeout(2_000) })
        return answer.status === 200 || undefined
      })
      findings.recoveries.push(performance.now() - gone)
      await pause(1_000)
      excused()
      await cluster.climb(good, "succeeded")
    }
    findings.expect(router() === pid, "the router did not survive")
    findings.expect(cluster.starts === 1, "the control plane did not survive")
    findings.figures.descriptors = most
    await trial.looksForStrays()
  })
  return findings.result()
}

async function occupy(port: number, count: number): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.on("error", () => undefined)
    return socket
  })
  await pause(3_000)
  return sockets
}

const noLimits = (): string | undefined =>
  process.platform === "linux" ? undefined : "prlimit is there on Linux only"

export const f09: Fault = {
  id: "F9",
  title: "no descriptors are left",
  missing: noLimits,
  run: useUpDescriptors,
}
