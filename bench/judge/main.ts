import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { policies, runPolicy, runProgram } from "./run.ts"
import type { Outcome } from "./scores.ts"
import { scoresOf } from "./scores.ts"
import { readLabels } from "./set.ts"
import { tableOf } from "./table.ts"

const here = dirname(fileURLToPath(import.meta.url))

const { values } = parseArgs({
  options: {
    set: { type: "string", default: join(here, "public") },
    policy: { type: "string", default: "all" },
    "in-process": { type: "boolean", default: false },
    cmd: { type: "string" },
    json: { type: "boolean", default: false },
    jobs: { type: "string", default: "2" },
    outcomes: { type: "boolean", default: false },
  },
})

const folder = resolve(values.set)
const labels = readLabels(folder)
const names = values.cmd ? [] : values.policy === "all" ? Object.keys(policies) : values.policy.split(",")

const outcomes: Record<string, readonly Outcome[]> = {}
for (const name of names) {
  const make = policies[name]
  if (!make)
    throw new Error(`there is no policy "${name}": take all, or some of ${Object.keys(policies).join(", ")}`)
  // Ours is judged as anyone's would be: a program that sees a line at a time.
  const alone = name === "immunity" && !values["in-process"]
  outcomes[name] = alone
    ? await runAll(`${join(here, "../../bin/immunity")} judge --stream`)
    : labels.map((label) => runPolicy(make, folder, label))
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

/** A few at a time: each case is a process of its own. */
async function runAll(command: string): Promise<readonly Outcome[]> {
  const waiting = [...labels]
  const found: Outcome[] = []
  const work = async () => {
    for (let label = waiting.shift(); label; label = waiting.shift())
      found.push(await runProgram(command, folder, label))
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, work))
  return found
}
