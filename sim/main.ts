import { generate } from "./generate.ts"
import { Digest } from "./random.ts"
import { run } from "./run.ts"

const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? otherwise : Number(process.argv[at + 1])
}

const seeds = option("seeds", 200)
const from = option("from", 1)
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
if (process.argv.includes("--json")) console.log(JSON.stringify(summary))
else console.log(summary)
for (const { seed, rule, what } of found.slice(0, 20)) console.error(`seed ${seed}: ${rule}: ${what}`)
process.exitCode = found.length > 0 ? 1 : 0
