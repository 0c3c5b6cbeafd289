import { plant } from "./load-mutated.ts"
import { mutants } from "./mutants.ts"

const [name = "", most = "60", least = "8"] = process.argv.slice(2)
const mutant = mutants.find((known) => known.name === name)
if (!mutant) throw new Error(`there is no mutant "${name}"`)
plant(mutant)

const { generate } = await import("../generate.ts")
const { run } = await import("../run.ts")

/** Which promises it breaks, and with which seed it was seen first. */
const rules = new Set<string>()
let first: number | undefined
let what = ""
const tell = (): void => console.log(JSON.stringify({ first, rules: [...rules].sort(), what }))
const caught = (seed: number, rule: string, text: string): void => {
  rules.add(rule)
  if (first !== undefined) return
  first = seed
  what = text
}

let seed = 0
process.on("uncaughtException", (error) => {
  caught(seed, "crash", error.message)
  tell()
  process.exit(0)
})
/** The seeds of the worlds that the bug needs. */
function* fitting(): Generator<[number, ReturnType<typeof generate>]> {
  for (let tried = 1, left = Number(most); left > 0 && tried < 100_000; tried++) {
    const scenario = generate(tried)
    const text = JSON.stringify(scenario)
    if (mutant?.needs?.some((need) => !text.includes(need))) continue
    left--
    yield [tried, scenario]
  }
}

let worlds = 0
for (const [tried, scenario] of fitting()) {
  seed = tried
  worlds++
  try {
    for (const { rule, what: text } of (await run(scenario)).violations.slice(0, 1)) caught(seed, rule, text)
  } catch (error) {
    caught(seed, "crash", error instanceof Error ? error.message : String(error))
  }
  if (first !== undefined && worlds >= Number(least)) break
}
tell()
