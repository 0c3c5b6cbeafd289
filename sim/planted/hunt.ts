import { plant } from "./load-mutated.ts"
import { mutants } from "./mutants.ts"

const [name = "", most = "400", least = "8"] = process.argv.slice(2)
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
const until = performance.now() + 90_000
for (seed = 1; seed <= Number(most) && performance.now() < until; seed++) {
  try {
    for (const { rule, what: text } of (await run(generate(seed))).violations.slice(0, 1))
      caught(seed, rule, text)
  } catch (error) {
    caught(seed, "crash", error instanceof Error ? error.message : String(error))
  }
  if (first !== undefined && seed >= Math.max(first, Number(least))) break
}
tell()
