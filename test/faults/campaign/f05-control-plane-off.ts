import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { passable } from "../../../src/main/folders.ts"
import { pause, until } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { oneRegion, withTrial } from "./stage/trial.ts"

const deadManSeconds = 8

/**
 * F5: the control plane is off while a canary has half of the users. Nobody fails; after the dead-man switch's time
 * the canary has none, once; when the control plane is back, the canary has its share again and the rollout goes on.
 * Scaled down: the specification asks for an hour.
 */
async function turnOff(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const offMs = scale.quick ? 20_000 : 120_000
  findings.figures.offSeconds = offMs / 1_000
  findings.figures.scaledDown = "an hour in the specification"
  const prepare = (dir: string): void => {
    mkdirSync(join(dir, "server"), { mode: passable() })
    mkdirSync(join(dir, "server", "router"), { mode: 0o700 })
    writeFileSync(join(dir, "server", "router", "settings.json"), `{ "dead-man": "${deadManSeconds}s" }\n`)
  }
  const pipeline = (ports: readonly number[]) => oneRegion(ports).replace("for: 3s", "for: 40s")
  await withTrial(findings, scale, { pipeline, prepare }, async (trial) => {
    const { cluster } = trial
    await trial.begin()
    const users = trial.users()
    const canary = cluster.commit("canary", "none")
    await cluster.climb(canary, "shifting")
    const share = async () => (await users.served()).lately[canary] ?? 0
    await until("users on the canary", async () => (await share()) > 0 || undefined)
    const epoch = await trial.epoch()
    await cluster.plane.end()
    const off = performance.now()
    await until("nobody on the canary", async () => (await share()) === 0 || undefined, 60_000)
    findings.figures.deadManMs = Math.round(performance.now() - off)
    while (performance.now() - off < offMs) {
      await pause(1_000)
      findings.expect((await share()) === 0, "users came back to a canary that nobody watches")
    }
    const fired = said(join(cluster.dir, "server", "agent", "logs", "router.log"))
    findings.figures.deadManFired = fired
    findings.expect(fired === 1, `the dead-man switch fired ${fired} times`)
    const on = performance.now()
    cluster.serve()
    findings.expect(await trial.recovery(on, epoch), "nobody reconciles again")
    await cluster.climb(canary, "succeeded")
    await trial.looksForStrays()
  })
  return findings.result()
}

const said = (log: string): number =>
  existsSync(log) ? readFileSync(log, "utf8").split("all weight is back with the stable pools").length - 1 : 0

export const f05: Fault = {
  id: "F5",
  title: "the control plane is off while a canary has users",
  run: turnOff,
}
