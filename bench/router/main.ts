/**
 * What a request costs in the embedded router, in HAProxy, nginx and Caddy, with the same backend behind each.
 *
 *   node bench/router/main.ts [--rounds 5] [--seconds 2] [--connections 64] [--json]
 *
 * All of them run the whole time; in each round each of them is loaded in turn, so that whatever else the
 * machine does hits them alike. What is reported are medians of ratios taken within one round.
 * The last line of standard output is one JSON object. It takes three and a half minutes, and five where other
 * programs want the cores; `--rounds 2 --seconds 1` says something after half of that.
 */
import { rm } from "node:fs/promises"
import { parseArgs } from "node:util"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { cpuSeconds } from "./cpu.ts"
import { median, ratios, rounded } from "./figures.ts"
import { install } from "./install.ts"
import { load } from "./load.ts"
import { type Contestant, Stage } from "./stage.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    connections: { type: "string", default: "64" },
    json: { type: "boolean", default: false },
  },
})
const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number)
if (!rounds || !seconds || !connections)
  throw new Error("--rounds, --seconds and --connections are numbers above 0")

/** One contestant in one round. */
type Run = {
  readonly rps: number
  readonly requestsPerCpuSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failed: number
}

const say = (text: string) => process.stderr.write(`${text}\n`)

async function measure(contestant: Contestant): Promise<Run> {
  await load(contestant.url, 1, connections ?? 64)
  const before = await cpuSeconds(contestant.pid)
  const loaded = await load(contestant.url, seconds ?? 2, connections ?? 64)
  const cpu = (await cpuSeconds(contestant.pid)) - before
  return {
    rps: loaded.requests / loaded.seconds,
    requestsPerCpuSecond: loaded.requests / cpu,
    p50Ms: loaded.p50Ms,
    p99Ms: loaded.p99Ms,
    failed: loaded.failed,
  }
}

/** What has carried few requests is still being compiled: where the machine is busy, seconds alone say little. */
async function warmUp(url: string): Promise<void> {
  let requests = 0
  for (let turn = 0; turn < 3 && requests < 30_000; turn++)
    requests += (await load(url, 2, connections ?? 64)).requests
}

const total = (runs: readonly Run[]) => runs.reduce((sum, { failed }) => sum + failed, 0)

/** One contestant, and how it stands to another one in the same rounds. */
function against(own: readonly Run[], other: readonly Run[], name: string) {
  const by = (key: keyof Run) =>
    rounded(
      median(
        ratios(
          own.map((run) => run[key]),
          other.map((run) => run[key]),
        ),
      ),
    )
  return {
    [`cpuRatioTo${name}`]: by("requestsPerCpuSecond"),
    [`rpsRatioTo${name}`]: by("rps"),
    p99Ratio: by("p99Ms"),
    rps: Math.round(median(own.map(({ rps }) => rps))),
    cpuMicrosecondsPerRequest: rounded(1e6 / median(own.map((run) => run.requestsPerCpuSecond))),
    p50Ms: rounded(median(own.map(({ p50Ms }) => p50Ms))),
    p99Ms: rounded(median(own.map(({ p99Ms }) => p99Ms))),
    failed: total(own),
  }
}

async function main(): Promise<void> {
  await install(say)
  const dir = temporaryFolder("bench-router")
  const stage = new Stage(dir)
  try {
    const contestants = await stage.open()
    for (const { url } of contestants) await warmUp(url)
    const runs = new Map<string, Run[]>(contestants.map(({ name }) => [name, []]))
    for (let round = 0; round < (rounds ?? 5); round++) {
      // Nobody always comes first, nor always after the same neighbour.
      const order = round % 2 === 0 ? contestants : contestants.toReversed()
      for (const contestant of order) {
        const run = await measure(contestant)
        runs.get(contestant.name)?.push(run)
        say(
          `round ${round + 1} ${contestant.name.padEnd(14)} ${Math.round(run.rps)} requests/s, ${rounded(1e6 / run.requestsPerCpuSecond)} µs CPU each, p99 ${rounded(run.p99Ms)} ms, ${run.failed} failed`,
        )
      }
    }
    const of = (name: string) => runs.get(name) ?? []
    const others = (mode: string) =>
      Object.fromEntries(
        ["nginx", "caddy"]
          .filter((name) => runs.has(`${name} ${mode}`))
          .map((name) => [name, against(of(`${name} ${mode}`), of(`haproxy ${mode}`), "Haproxy")]),
      )
    const compared = (mode: string) => ({
      ...against(of(`embedded ${mode}`), of(`haproxy ${mode}`), "Haproxy"),
      haproxy: against(of(`haproxy ${mode}`), of(`haproxy ${mode}`), "Haproxy"),
      ...others(mode),
    })
    const report = {
      embedded: compared("full"),
      plain: compared("plain"),
      tls: compared("tls"),
      mirror: {
        ...against(of("embedded mirror"), of("embedded full"), "Unmirrored"),
        sandbox: "accepts and never answers; all GETs are copied",
      },
      failed: total([...runs.values()].flat()),
      rounds,
      seconds,
      connections,
    }
    process.stdout.write(`${JSON.stringify(report)}\n`)
  } finally {
    await stage.close()
    await rm(dir, { recursive: true, force: true })
  }
}

await main()
