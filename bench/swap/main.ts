/**
 * How long it takes until a change of traffic is true, under load, through the drivers that the engine uses.
 *
 *   node bench/swap/main.ts [--cycles 50] [--connections 16] [--pause 5] [--json]
 *
 * A cycle gives a second pool 5 %, 25 % and 100 % of the users and takes them back. Times go from the order to
 * its acknowledgement. An answer is stale when its request was sent after an acknowledgement, and it still came
 * from a pool that had no weight any more. The last line of standard output is one JSON object.
 */
import { rm } from "node:fs/promises"
import { parseArgs } from "node:util"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { openBackends } from "./backends.ts"
import { type Driven, drivers } from "./drivers.ts"
import { type Answer, now, type Settled, startLoad, tally } from "./load.ts"
import { replaceWorkers, restarts } from "./robustness.ts"
import { summary } from "./summary.ts"

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "50" },
    connections: { type: "string", default: "16" },
    pause: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
})
const [cycles, connections, pause] = [values.cycles, values.connections, values.pause].map(Number)
if (!cycles || !connections || pause === undefined || Number.isNaN(pause))
  throw new Error("--cycles, --connections and --pause are numbers")

/** Shares of the second pool, in the order of one cycle. */
const steps = [
  { kind: "weight", share: 5 },
  { kind: "weight", share: 25 },
  { kind: "swap", share: 100 },
  { kind: "swapBack", share: 0 },
] as const

const answerAt = (share: number): Answer | undefined =>
  share === 100 ? "two" : share === 0 ? "one" : undefined

async function measure(driven: Driven, to: { readonly one: string; readonly two: string }) {
  const { router } = driven
  const signal = AbortSignal.timeout(600_000)
  let generation = 0
  const give = async (share: number) => {
    generation += 1
    const applied = await router.setRoutes(
      { app: "bench", epoch: 1, generation },
      [
        {
          route: "bench/users",
          listen: driven.listen,
          salt: "bench",
          sticky: { by: "none" },
          pools: [
            { pool: "one", weight: 100 - share, instances: [{ id: "one", address: to.one }] },
            { pool: "two", weight: share, instances: [{ id: "two", address: to.two }] },
          ],
          stable: "one",
          mirror: undefined,
        },
      ],
      signal,
    )
    if (applied.kind !== "applied") throw new Error(`${driven.name}: ${applied.because}`)
  }
  await give(0)
  await driven.ready(signal)
  const times = { weight: [] as number[], swap: [] as number[], swapBack: [] as number[] }
  const settled: Settled[] = []
  const load = startLoad(driven.listen, connections ?? 16, pause ?? 5)
  await load.running
  for (let cycle = 0; cycle < (cycles ?? 50); cycle++)
    for (const { kind, share } of steps) {
      const last = settled.at(-1)
      const ordered = now()
      if (last) last.until = ordered
      await give(share)
      const acknowledged = now()
      times[kind].push(acknowledged - ordered)
      settled.push({ from: acknowledged, until: Number.POSITIVE_INFINITY, answer: answerAt(share) })
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  const workers = driven.dir === undefined ? undefined : await replaceWorkers(driven.dir, 3)
  const { requests, failed, stale } = tally(await load.stop(), settled)
  return {
    weight: summary(times.weight),
    swap: summary(times.swap),
    swapBack: summary(times.swapBack),
    ...(workers ? { workers: summary(workers) } : {}),
    requests,
    failed,
    stale,
  }
}

async function main(): Promise<void> {
  const dir = temporaryFolder("swap")
  const backends = await openBackends()
  const report: Record<string, unknown> = {}
  try {
    for (const open of drivers) {
      const driven = await open(dir)
      try {
        process.stderr.write(`measuring ${driven.name}\n`)
        report[driven.name] = await measure(driven, backends)
      } finally {
        await driven.close()
      }
    }
    process.stderr.write("killing and starting the embedded router\n")
    report.restart = await restarts(dir, backends.one, 10)
    process.stdout.write(`${JSON.stringify(report)}\n`)
  } finally {
    await backends.close()
    await rm(dir, { recursive: true, force: true })
  }
}

await main()
// HAProxy's driver keeps looking after its router; the bench is over all the same.
process.exit(0)
