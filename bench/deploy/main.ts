/**
 * How long it takes to replace 3, 10 and 30 instances by each strategy, and to swap back.
 *
 *   node bench/deploy/main.ts [--compute process|docker|both] [--sizes 3,10,30] [--strategies immutable,canary]
 *                             [--start-up 1000] [--json]
 *
 * `limit`: the same program started with nothing of ours around it, in the same batches, one batch after the other:
 * the sum of start-up times, while the same users ask as during the replacement. `overhead` is what we take beyond it.
 * `idleLimit`: the same on a machine where nobody asks anything. `compose`: everything stopped, then started, as
 * `docker compose down && up` would; for as long nobody is served. `swapBack`: from the order to the last answer of
 * the release that was taken back. `drill`: from the order until the region stood a second time, healthy. Seconds; the last line of standard output is one JSON object.
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { buildBaseImage } from "../../src/main/containers/base-image.ts"
import { type OwnEngine, startEngine } from "../../src/main/containers/own-engine.ts"
import { takeAway, temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { type Direct, plainContainers, plainProcesses } from "./direct.ts"
import { batches, type Ground, type Strategy, strategies, trial } from "./trial.ts"

const { values } = parseArgs({
  options: {
    compute: { type: "string", default: "both" },
    sizes: { type: "string", default: "3,10,30" },
    strategies: { type: "string", default: strategies.join(",") },
    "start-up": { type: "string", default: "1000" },
    json: { type: "boolean", default: false },
  },
})
const sizes = values.sizes.split(",").map(Number)
const startMs = Number(values["start-up"])
if (sizes.some((size) => !(size > 0)) || Number.isNaN(startMs))
  throw new Error("--sizes and --start-up are numbers")
const chosen = values.strategies.split(",").map((name): Strategy => {
  const found = strategies.find((strategy) => strategy === name)
  if (!found) throw new Error(`${name} is not a strategy; choose among ${strategies.join(", ")}`)
  return found
})
const tell = (line: string) => process.stderr.write(`${line}\n`)
const round = (seconds: number) => Math.round(seconds * 100) / 100

async function sumOfStarts(direct: Direct, strategy: Strategy, size: number): Promise<number> {
  let sum = 0
  for (const count of batches(strategy, size)) sum += await direct.start(count)
  await direct.stop()
  return sum / 1_000
}

async function composed(direct: Direct, size: number): Promise<number> {
  await direct.start(size)
  const began = performance.now()
  await direct.stop()
  await direct.start(size)
  const seconds = (performance.now() - began) / 1_000
  await direct.stop()
  return seconds
}

async function measure(compute: string, direct: Direct, ground: Ground) {
  const rows = []
  for (const size of sizes) {
    const compose = round(await composed(direct, size))
    for (const strategy of chosen) {
      const started = () => sumOfStarts(direct, strategy, size)
      const idleLimit = round(await started())
      const { replaced, swapBack, drill, failed, answers, ...measured } = await trial(
        strategy,
        size,
        startMs,
        ground,
        started,
      )
      const limit = round(measured.limit)
      const overhead = round(replaced / limit - 1)
      const row = {
        compute,
        size,
        strategy,
        replaced: round(replaced),
        limit,
        idleLimit,
        overhead,
        compose,
        swapBack: round(swapBack),
        drill: round(drill),
        failed,
        answers,
      }
      tell(
        `${compute} ${size} ${strategy}: replaced in ${row.replaced} s, limit ${limit} s (${idleLimit} s where nobody asks), overhead ${Math.round(overhead * 100)} %; compose ${compose} s without an answer; swapped back in ${row.swapBack} s; rebuilt in a drill in ${row.drill} s; ${failed} of ${answers} failed`,
      )
      rows.push(row)
    }
  }
  await direct.close()
  return rows
}

async function withContainers(): Promise<{ readonly rows: readonly object[]; readonly skipped?: string }> {
  const folder = temporaryFolder("immunity-engine")
  let engine: OwnEngine | undefined
  try {
    const started = await startEngine(join(folder, "podman"))
    if ("impossible" in started) {
      tell(`SKIPPED, containers: ${started.impossible}`)
      return { rows: [], skipped: started.impossible }
    }
    engine = started
    const base = await buildBaseImage(engine.socket)
    const direct = await plainContainers(engine.socket, base, startMs)
    return { rows: await measure("docker", direct, { socket: engine.socket, base }) }
  } finally {
    engine?.close()
    takeAway(folder)
  }
}

const plain = values.compute === "docker" ? [] : await measure("process", plainProcesses(startMs), undefined)
const contained = values.compute === "process" ? { rows: [] } : await withContainers()
const result = {
  startUpSeconds: startMs / 1_000,
  rows: [...plain, ...contained.rows],
  ...("skipped" in contained ? { skipped: contained.skipped } : {}),
}
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
