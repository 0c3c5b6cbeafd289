/**
 * What a control plane costs with 100, 1,000 and 10,000 applications of four regions each: at rest, and with 100 rollouts
 * under way. Measured from outside, on the real `immunity serve` with a real store and real git repositories.
 *
 *   node bench/scale/main.ts [--sizes 100,1000,10000] [--databases sqlite,postgres] [--rest 30] [--rollouts 100]
 *                            [--releases 1] [--json]
 *
 * `--rest`: for how many seconds it is watched at rest, which begins a minute after all were adopted: that minute, in
 * which what the start left behind is done, is told apart (`settlingCpuPercent`).
 * `--releases`: how many each application had before; fifty-eight events of the first, eighty of each later one.
 *
 * What stands in: the agent is one process that speaks the real protocol, but instances, jobs and routes are entries in
 * its memory. Its CPU, and that of PostgreSQL, is not the control plane's and not counted. The last line of standard
 * output is one JSON object.
 */
import { chmodSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { systemClock } from "../../src/providers/clock/system.ts"
import { PostgresServer, postgresBin } from "../../test/support/postgres.ts"
import { type Database, fill } from "./fill.ts"
import { nameOf, template } from "./history.ts"
import { cpuOf, Plane, residentMb, Server, sleep, until } from "./plane.ts"
import { Repositories } from "./repositories.ts"
import { roll } from "./roll.ts"
import { rowsIn } from "./rows.ts"

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "100,1000,10000" },
    databases: { type: "string", default: "sqlite,postgres" },
    rest: { type: "string", default: "30" },
    rollouts: { type: "string", default: "100" },
    releases: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
})
const sizes = values.sizes.split(",").map(Number)
const rest = Number(values.rest)
const rollouts = Number(values.rollouts)
const releases = Number(values.releases)

const say = (text: string) => process.stderr.write(`${text}\n`)
/**
 * Milliseconds in which a control plane is done with what a start leaves behind: looks that came due while all were
 * adopted, time limits that run out unused, and one collection of the garbage, which V8 begins some fifteen seconds after
 * little is allocated any more.
 */
const settlesWithin = 60_000
const targets = { restCpuPercent: 5, memoryMb: 1_024, p99Ms: 1_000 }

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const at = server.address()
      server.close(() => resolve(typeof at === "object" && at ? at.port : 0))
    })
  })

const snapshotCount = "select count(*) as n from snapshot"

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
const round = (number: number): number => Number(number.toPrecision(3))

/** Of one core. */
async function cpuPercent(pid: number, forMs: number): Promise<number> {
  const before = cpuOf(pid)
  const began = performance.now()
  await sleep(forMs)
  return ((cpuOf(pid) - before) / ((performance.now() - began) / 1_000)) * 100
}

async function once(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await act()
  return performance.now() - began
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const took: number[] = []
  for (let i = 0; i < 9; i++) took.push(await once(act))
  return median(took)
}

async function measure(kind: Database["kind"], apps: number, server: PostgresServer | undefined) {
  const dir = temporaryFolder("immunity-scale")
  chmodSync(dir, 0o711)
  const repositories = new Repositories(dir, apps, releases)
  // The last ones move.
  const moving = Array.from({ length: Math.min(rollouts, apps) }, (_, i) => nameOf(apps - 1 - i))
  const atRest = template(repositories.url, repositories.commits)
  const database: Database =
    kind === "sqlite"
      ? { kind, path: join(dir, "immunity.db") }
      : { kind, url: server?.create(`scale_${apps}`) ?? "" }
  const events = await fill(database, atRest, apps, systemClock)
  const agent = await Server.start(dir, { apps, template: atRest })
  const plane = new Plane(dir, database, await freePort())
  try {
    /** Milliseconds until it answers, and until every application had its first order of it. */
    const start = async () => {
      // Before it starts: the first orders may be there before its first answer.
      agent.forget()
      const answersMs = await plane.start()
      const first = () => agent.apps.size === apps
      return {
        answersMs,
        adoptedMs: answersMs + (await until("every application was adopted", first, 600_000)),
      }
    }
    say(`${kind}: ${apps} applications, ${events} events`)
    const firstStart = await start()
    // The first start folds everything; from then on there are snapshots, as in any store that was served from before.
    const kept = async () => (await rowsIn<{ n: number | string }>(database, snapshotCount))[0]?.n
    await until("every application has a snapshot", async () => Number(await kept()) === apps, 300_000)
    await plane.kill()
    const { answersMs, adoptedMs } = await start()
    const settlingCpuPercent = await cpuPercent(plane.pid, settlesWithin)
    const restCpuPercent = await cpuPercent(plane.pid, rest * 1_000)
    const restMemoryMb = residentMb(plane.pid)
    say(
      `at rest: ${round(restCpuPercent)} % of a core (${round(settlingCpuPercent)} % in the minute before), ${restMemoryMb} MB; back after ${Math.round(adoptedMs)} ms`,
    )
    // The first one works out what lists tell of each; later ones only of those that moved.
    const firstPageMs = await once(() => plane.ask("GET", "/"))
    const pageMs = await timed(() => plane.ask("GET", "/"))
    const listMs = await timed(() => plane.ask("GET", "/v1/apps?limit=50"))
    const rolled = await roll(plane, agent, repositories, moving, database)
    const found = {
      database: kind,
      applications: apps,
      regions: apps * 4,
      releases: apps * releases,
      events,
      settlingCpuPercent: round(settlingCpuPercent),
      restCpuPercent: round(restCpuPercent),
      restMemoryMb,
      restart: { answersMs: Math.round(answersMs), adoptedMs: Math.round(adoptedMs) },
      // Of a new version, which believes no snapshot.
      firstStart: {
        answersMs: Math.round(firstStart.answersMs),
        adoptedMs: Math.round(firstStart.adoptedMs),
      },
      pages: { firstOverviewMs: round(firstPageMs), overviewMs: round(pageMs), listMs: round(listMs) },
      ...rolled,
      rollingMemoryMb: residentMb(plane.pid),
    }
    say(JSON.stringify(found))
    return found
  } finally {
    await plane.kill()
    await agent.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

type Measured = Awaited<ReturnType<typeof measure>>

/** How much faster than the number of applications a cost grew from one size to the next: 1 is linear. */
const growth = (all: readonly Measured[], of: (one: Measured) => number) =>
  all.slice(1).map((one, i) => {
    const last = all[i]
    return last ? round(of(one) / of(last) / (one.applications / last.applications)) : Number.NaN
  })

const results: Measured[] = []
for (const kind of values.databases.split(",") as readonly Database["kind"][]) {
  const server = kind === "postgres" && postgresBin ? new PostgresServer(postgresBin) : undefined
  if (kind === "postgres" && !server) continue
  await server?.start()
  try {
    for (const apps of sizes) results.push(await measure(kind, apps, server))
  } finally {
    await server?.close()
  }
}
const largest = results.filter(({ applications }) => applications === Math.max(...sizes))
const byDatabase = Object.groupBy(results, ({ database }) => database)
const summary = {
  standIns:
    "compute, jobs and router are in memory behind the real agent protocol; serve, store, git and API are real",
  targets,
  held: largest.every(
    ({ restCpuPercent, restMemoryMb, eventToAction }) =>
      restCpuPercent < targets.restCpuPercent &&
      restMemoryMb < targets.memoryMb &&
      eventToAction.p99Ms < targets.p99Ms,
  ),
  growth: Object.fromEntries(
    Object.entries(byDatabase).map(([database, all = []]) => [
      database,
      {
        restCpu: growth(all, ({ restCpuPercent }) => restCpuPercent),
        memory: growth(all, ({ restMemoryMb }) => restMemoryMb),
        restart: growth(all, ({ restart }) => restart.adoptedMs),
      },
    ]),
  ),
  results,
}
if (!values.json)
  console.table(
    results.map(({ eventToAction, approvalToStart: _, restart, firstStart, pages, ...one }) => ({
      ...one,
      ...restart,
      firstStartMs: firstStart.adoptedMs,
      ...pages,
      p50Ms: eventToAction.p50Ms,
      p99Ms: eventToAction.p99Ms,
    })),
  )
console.log(JSON.stringify(summary))
