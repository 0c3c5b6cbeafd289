import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { generatedSet } from "./generated/set.ts"
import { policies, runPolicy, runProgram } from "./run.ts"
import type { Outcome } from "./scores.ts"
import { scoresOf } from "./scores.ts"
import { folderSet } from "./set.ts"
import { tableOf } from "./table.ts"

const here = dirname(fileURLToPath(import.meta.url))

const { values } = parseArgs({
  options: {
    set: { type: "string", default: join(here, "public") },
    seed: { type: "string", default: "1" },
    good: { type: "string", default: "620" },
    bad: { type: "string", default: "294" },
    policy: { type: "string", default: "all" },
    "in-process": { type: "boolean", default: false },
    cmd: { type: "string" },
    json: { type: "boolean", default: false },
    jobs: { type: "string", default: "2" },
    outcomes: { type: "boolean", default: false },
  },
})

const generated = values.set === "generated"
const set = generated
  ? generatedSet(whole(values.seed), whole(values.good), whole(values.bad))
  : folderSet(resolve(values.set))
const { labels } = set
const names = values.cmd ? [] : values.policy === "all" ? Object.keys(policies) : values.policy.split(",")

const outcomes: Record<string, readonly Outcome[]> = {}
for (const name of names) {
  const make = policies[name]
  if (!make)
    throw new Error(`there is no policy "${name}": take all, or some of ${Object.keys(policies).join(", ")}`)
  // Ours is judged as anyone's would be: a program that sees a line at a time.
  const alone = name === "immunity" && !values["in-process"] && !generated
  outcomes[name] = alone
    ? await runAll(`${join(here, "../../bin/immunity")} judge --stream`)
    : labels.map((label) => runPolicy(make, set, label))
}
if (values.cmd) outcomes.cmd = await runAll(values.cmd)
const scores = Object.fromEntries(Object.entries(outcomes).map(([name, of]) => [name, scoresOf(labels, of)]))
if (values.outcomes) {
  const classOf = new Map(labels.map((label) => [label.case, label]))
  for (const outcome of Object.values(outcomes).flat()) {
    const label = classOf.get(outcome.case)
    process.stderr.write(`${JSON.stringify({ ...outcome, class: label?.class, onset: label?.onset_t })}\n`)
  }
}
if (values.json)
  process.stdout.write(
    `${JSON.stringify({ set: values.set.split("/").at(-1), cases: labels.length, policies: scores })}\n`,
  )
else process.stdout.write(`${tableOf(scores)}\n`)

function whole(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 0) return number
  throw new Error(`${text} is no whole number: --seed, --good and --bad take one`)
}

/** A few at a time: each case is a process of its own. */
async function runAll(command: string): Promise<readonly Outcome[]> {
  const waiting = [...labels]
  const found: Outcome[] = []
  const work = async () => {
    for (let label = waiting.shift(); label; label = waiting.shift())
      found.push(await runProgram(command, set, label))
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, work))
  return found
}
