import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { pause, until } from "../../support/until.ts"
import { Namespace, noNamespaces } from "./stage/namespace.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { noPostgres, SharedStore } from "./stage/shared.ts"
import { withTrial } from "./stage/trial.ts"
import { Users } from "./stage/users.ts"

const directions = ["both", "answers"] as const

/**
 * F6: machines that cannot reach each other, in both directions and in one. First the router and one of the two
 * machines on which its instances are; then the control plane that holds the application and the database.
 */
async function partition(scale: Scale): Promise<Result> {
  const findings = new Findings()
  await betweenRouterAndInstances(findings, scale)
  if (noPostgres() === undefined) await betweenHolderAndDatabase(findings, scale)
  else findings.figures.database = `SKIPPED: ${noPostgres()}`
  findings.figures.notThere = "control plane and agents of other machines: npm run test:hosts cuts those"
  return findings.result()
}

async function betweenRouterAndInstances(findings: Findings, scale: Scale): Promise<void> {
  const far = new Namespace(1)
  const [listen = 0, near = 0] = await freePorts(2)
  const children: ChildProcess[] = []
  const instance = (words: readonly string[], host: string, port: number): void => {
    const [file = "", ...args] = [...words, process.execPath, "test/faults/campaign/app/server.js"]
    const env = { ...process.env, HOST: host, PORT: String(port), IMMUNITY_RELEASE: "same" }
    children.push(spawn(file, args, { env, stdio: "ignore" }))
  }
  try {
    instance([], "127.0.0.1", near)
    instance(far.before, far.there, 9_000)
    const to = ["--to", `127.0.0.1:${near}`, "--to", `${far.there}:9000`]
    const health = ["--health-path", "/healthz", "--health-interval", "500ms", "--health-timeout", "500ms"]
    const alone = [
      "router",
      "--listen",
      `127.0.0.1:${listen}`,
      ...to,
      ...health,
      "--connect-timeout",
      "500ms",
    ]
    children.push(spawn("bin/immunity", alone, { stdio: "ignore" }))
    const url = `http://127.0.0.1:${listen}/items`
    await until("the router", async () => (await fetch(url)).status === 200 || undefined, 60_000)
    await pause(2_000)
    const users = new Users(`127.0.0.1:${listen}`, scale.rate)
    await pause(2_000)
    for (const how of directions) {
      scale.say(`F6: router and instances, ${how}`)
      findings.runs += 1
      const already = (await users.served()).failed.length
      const cut = Date.now()
      far.cut(how)
      await pause(scale.quick ? 6_000 : 20_000)
      const { failed } = await users.served()
      const mine = failed.slice(already)
      // What was on its way to the other side is lost; nothing that came after the ejection may be.
      const last = Math.max(0, ...mine.map(({ at }) => at - cut))
      findings.recoveries.push(last)
      findings.expect(last < 5_000, `users were still sent to a machine that was gone after ${last} ms`)
      findings.figures[`lostWhenCut_${how}`] = mine.length
      far.heal(how)
      await pause(5_000)
    }
    const served = await users.stop()
    findings.requests += served.requests
  } catch (error) {
    findings.expect(false, error instanceof Error ? error.message : String(error))
  } finally {
    for (const child of children) {
      const gone = once(child, "exit")
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL")
        await gone
      }
    }
    far.close()
  }
}

async function betweenHolderAndDatabase(findings: Findings, scale: Scale): Promise<void> {
  const far = new Namespace(2)
  const [port = 0, databasePort = 0] = await freePorts(2)
  const store = await SharedStore.open({ host: far.here, port: databasePort })
  await withTrial(findings, scale, {}, async (trial) => {
    try {
      const { cluster } = trial
      cluster.shareToken()
      const near = cluster.beside("near", port, { env: { IMMUNITY_DB: store.url } })
      near.stay()
      // First, so that agent, router and instances live on this side.
      await trial.settle(near)
      const url = `postgres://immunity@${far.here}:${databasePort}/immunity`
      const farPlane = cluster.beside("far", 7_300, { env: { IMMUNITY_DB: url }, before: far.before })
      farPlane.stay()
      trial.users()
      await trial.clerk([near], 300)
      for (const how of directions) {
        scale.say(`F6: control plane and database, ${how}`)
        findings.runs += 1
        // The far one shall hold it: the near one steps aside for as long as a lease lasts.
        await near.end()
        const planes = [near, farPlane]
        await until(
          "the far one to hold it",
          async () => (await store.holder(planes)).plane === farPlane || undefined,
          60_000,
        )
        near.stay()
        await cluster.add(near)
        const good = cluster.commit(`good ${how}`, "none")
        await cluster.climb(good, ["queued", "provisioning", "verifying", "shifting"], near)
        const { epoch } = await store.holder(planes)
        const cut = performance.now()
        far.cut(how)
        findings.expect(await trial.recovery(cut, epoch), "nobody took over")
        await cluster.climb(good, "succeeded", near)
        far.heal(how)
        await pause(2_000)
      }
      await cluster.until(
        "the far one to be well again",
        async () => (await store.holder([near, farPlane])).plane.lives || undefined,
        60_000,
      )
      await trial.looksForStrays(near)
    } finally {
      await trial.close(() => store.booked())
    }
  })
  await store.close()
  far.close()
}

export const f06: Fault = {
  id: "F6",
  title: "machines that cannot reach each other",
  missing: noNamespaces,
  run: partition,
}
