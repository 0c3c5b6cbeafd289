import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { freePorts } from "../../../src/main/demo/free-ports.ts"
import { temporaryFolder } from "../../../src/main/demo/leftovers.ts"
import { routers } from "../../../src/providers/router/index.ts"
import { StateFile } from "../../../src/router/state-file.ts"
import { pause, until } from "../../support/until.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"

/** Writes states without an end and says the number of each that was acknowledged. */
const writer = `
import { writeSync } from "node:fs"
import { StateFile } from ${JSON.stringify(new URL("../../../src/router/state-file.ts", import.meta.url).href)}
const file = new StateFile(process.argv[1])
let { book } = await file.load()
let generation = book.apps.papi?.generation ?? 0
for (;;) {
  generation += 1
  const routes = []
  await file.save({ ...book, apps: { papi: { epoch: 1, generation, routes } }, ports: {}, tombstones: { papi: Array.from({ length: 200 }, (_, i) => "papi-" + i) } })
  writeSync(1, generation + "\\n")
}`

/**
 * F4: the router's state file is torn. Writers are killed in the middle of writing; files are cut at any length and
 * bytes in them are flipped; then the real router boots from torn files. It never starts empty, and never with less
 * than what was acknowledged.
 */
async function tear(scale: Scale): Promise<Result> {
  const findings = new Findings()
  const runs = scale.runs ?? (scale.quick ? 100 : 1_000)
  const kills = Math.ceil(runs / 10)
  const dir = temporaryFolder("immunity-torn")
  try {
    scale.say(`F4: ${kills} writers are killed while they write`)
    for (let kill = 0; kill < kills; kill++) await killWriter(dir, kill, findings)
    scale.say(`F4: ${runs - kills} files are cut or changed`)
    for (let damage = kills; damage < runs; damage++) await damageFile(dir, damage, findings)
    for (let boot = 0; boot < (scale.quick ? 2 : 10); boot++) await bootTorn(findings, boot)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  findings.figures.writersKilled = kills
  findings.figures.filesDamaged = runs - kills
  return findings.result()
}

async function killWriter(dir: string, kill: number, findings: Findings): Promise<void> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", writer, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let said = ""
  child.stdout.on("data", (chunk: Buffer) => {
    // Somewhere in the next write.
    if (said === "") setTimeout(() => child.kill("SIGKILL"), 5 + ((kill * 7) % 30))
    said += chunk.toString()
  })
  await once(child, "close")
  const acknowledged = Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1) ?? 0)
  const began = performance.now()
  const { book } = await new StateFile(dir).load()
  findings.recoveries.push(performance.now() - began)
  findings.runs += 1
  const found = book.apps.papi?.generation ?? 0
  if (found < acknowledged) {
    findings.lostEvents += 1
    findings.expect(false, `state ${acknowledged} was acknowledged and ${found} was found`)
  }
}

async function damageFile(dir: string, number: number, findings: Findings): Promise<void> {
  const file = join(dir, "state.json")
  const whole = readFileSync(file)
  const at = (number * 7_919) % whole.length
  const torn = number % 2 === 0 ? whole.subarray(0, at) : Buffer.from(whole)
  if (number % 2 === 1) torn[at] = (torn[at] ?? 0) ^ (1 << (number % 8))
  writeFileSync(file, torn)
  const { book, degraded } = await new StateFile(dir).load()
  findings.runs += 1
  findings.expect(book.apps.papi !== undefined, `it starts empty, damaged at byte ${at}`)
  findings.expect(degraded !== undefined, `nobody notices the damage at byte ${at}`)
  writeFileSync(file, whole)
}

/** The real router, which carried traffic, boots from a torn file with nobody to tell it anything. */
async function bootTorn(findings: Findings, boot: number): Promise<void> {
  const dir = temporaryFolder("immunity-torn-boot")
  const upstream = createServer((_, answer) => answer.end("well")).listen(0, "127.0.0.1")
  await once(upstream, "listening")
  const [port = 0] = await freePorts(1)
  const to = `127.0.0.1:${(upstream.address() as AddressInfo).port}`
  let router: ChildProcess | undefined
  try {
    router = spawn("bin/immunity", ["router", "--dir", dir], { stdio: "ignore" })
    await until("the router to be told", () => tell(dir, port, to), 60_000)
    await until("the router", () => isWell(port), 60_000)
    await end(router)
    const state = join(dir, "state.json")
    const whole = readFileSync(state)
    writeFileSync(state, whole.subarray(0, Math.floor((whole.length * boot) / 10)))
    const began = performance.now()
    // Nobody tells it where to listen and whom to ask: all it knows are its files.
    router = spawn("bin/immunity", ["router", "--dir", dir], { stdio: "ignore" })
    await until("the router to serve from the file before", () => isWell(port), 60_000)
    findings.recoveries.push(performance.now() - began)
    findings.runs += 1
  } catch (error) {
    findings.expect(false, error instanceof Error ? error.message : String(error))
  } finally {
    if (router) await end(router)
    upstream.close()
    upstream.closeAllConnections()
    await pause(10)
    rmSync(dir, { recursive: true, force: true })
  }
}

async function tell(dir: string, port: number, address: string): Promise<true | undefined> {
  const pools = [{ pool: "r1", weight: 100, instances: [{ id: "papi-1", address }] }]
  const rest = { salt: "", sticky: { by: "none" }, stable: undefined, mirror: undefined } as const
  const route = { route: "papi/prod", listen: `127.0.0.1:${port}`, pools, ...rest }
  const fence = { app: "papi", epoch: 1, generation: 1 }
  const { kind } = await routers.embedded({ dir }).setRoutes(fence, [route], AbortSignal.timeout(5_000))
  return kind === "applied" || undefined
}

const isWell = async (port: number): Promise<true | undefined> =>
  (await (await fetch(`http://127.0.0.1:${port}/`)).text()) === "well" || undefined

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

export const f04: Fault = { id: "F4", title: "the router's state file is torn", run: tear }
