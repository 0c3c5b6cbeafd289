import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { ListedFaults, RandomFaults } from "./faults.ts"
import { generate } from "./generate.ts"
import { Digest } from "./random.ts"
import { type Outcome, run } from "./run.ts"
import { type Story, shrink } from "./shrink.ts"
import { asDiagram, asText } from "./trace.ts"

const usage = `npm run sim -- [--seeds 200] [--from 1] [--json]      many seeds; exit code 1 when a promise is broken
npm run sim -- --seed 190 [--trace|--all|--diagram]   one seed, told step by step (--all: idle polling as well)
npm run sim -- --seed 190 --shrink [--out FILE]       the same, as few faults as still break the promise
npm run sim -- --replay FILE [--trace|--all|--diagram]`

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    seed: { type: "string" },
    replay: { type: "string" },
    shrink: { type: "boolean", default: false },
    out: { type: "string" },
    trace: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    diagram: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
})

function whole(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Error(`--${name} must be a whole number of at least 0, not ${text}`)
  return number
}

if (options.help) console.log(usage)
else if (options.seed !== undefined || options.replay !== undefined) await one()
else await many(whole("seeds", options.seeds), whole("from", options.from))

async function one(): Promise<void> {
  const story = options.replay && (JSON.parse(readFileSync(options.replay, "utf8")) as Story)
  const scenario = story ? story.scenario : generate(whole("seed", options.seed ?? "1"))
  const faults = (fired?: Outcome["fired"]) =>
    fired ? new ListedFaults(fired) : story ? new ListedFaults(story.faults) : new RandomFaults(scenario)
  const tracing = !options.shrink
  let outcome = await run(scenario, faults(), { tracing })
  if (options.shrink) {
    const small = await shrink({ scenario, faults: outcome.fired })
    const text = `${JSON.stringify(small, undefined, 2)}\n`
    if (options.out) writeFileSync(options.out, text)
    else console.log(text)
    outcome = await run(small.scenario, new ListedFaults(small.faults), { tracing: true })
  }
  if (options.diagram) console.log(asDiagram(outcome))
  else if (options.trace || options.all) console.log(asText(outcome, options.all))
  else console.log(JSON.stringify({ ...outcome, lines: undefined, scenario: undefined }, undefined, 2))
  process.exitCode = outcome.violations.length > 0 ? 1 : 0
}

async function many(seeds: number, from: number): Promise<void> {
  const digest = new Digest()
  let faults = 0
  let events = 0
  const found: { seed: number; rule: string; what: string }[] = []
  const before = process.cpuUsage()
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await run(generate(seed))
    faults += outcome.fired.length + outcome.happened
    events += outcome.events
    digest.add(outcome.hash)
    const first = outcome.violations[0]
    if (first) found.push({ seed, rule: first.rule, what: first.what })
  }
  const { user, system } = process.cpuUsage(before)
  const summary = {
    seeds,
    faults,
    events,
    violations: found.length,
    seedsPerCpuSecond: Math.round((seeds / ((user + system) / 1e6)) * 10) / 10,
    hash: digest.hex(),
  }
  for (const { seed, rule, what } of found.slice(0, 20)) console.error(`seed ${seed}: ${rule}: ${what}`)
  console.log(options.json ? JSON.stringify(summary) : summary)
  process.exitCode = found.length > 0 ? 1 : 0
}
