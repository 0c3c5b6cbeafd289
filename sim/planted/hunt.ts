import type { Outcome } from "../run.ts"
import { plant } from "./load-mutated.ts"
import { mutants } from "./mutants.ts"

/** What a hunt prints, as its last line. */
export type Hunted = {
  /** Which promises were broken, and in which world first: a seed, or the name of a world that was made for it. */
  readonly broken: Readonly<Record<string, string>>
  readonly what: string
  readonly worlds: number
}

const [name = "", most = "100", curious = "0", known = ""] = process.argv.slice(2)
const mutant = mutants.find((listed) => listed.name === name)
if (!mutant) throw new Error(`there is no mutant "${name}"`)
plant(mutant)

// Only now: they load what the bug is in.
const { generate } = await import("../generate.ts")
const { run } = await import("../run.ts")
const { madeWorlds } = await import("./made-worlds.ts")
const { runsOf } = await import("./runs-of.ts")

const broken: Record<string, string> = {}
let what = ""
let worlds = 0
let where = ""
const tell = (): void => console.log(JSON.stringify({ broken, what, worlds } satisfies Hunted))
const caught = (rule: string, text: string): void => {
  broken[rule] ??= where
  what ||= text
}

process.on("uncaughtException", (error) => {
  caught("crash", error.message)
  tell()
  process.exit(0)
})

/** A world, and how to run it. */
type World = readonly [where: string, live: () => Promise<Outcome>]

const ofSeed = (seed: number): World => [`${seed}`, () => run(generate(seed))]

/** First the worlds that were made for it, then the seeds that caught it before, then those that it needs. */
function* worldsFor(): Generator<World> {
  for (const made of mutant?.worlds ?? []) {
    for (const live of runsOf(madeWorlds[made])) yield [made, live]
  }
  for (const seed of known.split(",").filter(Boolean)) yield ofSeed(Number(seed))
  for (let seed = 1, left = Number(most); left > 0 && seed < 100_000; seed++) {
    const text = JSON.stringify(generate(seed))
    if (mutant?.needs?.some((need) => !text.includes(need))) continue
    left--
    yield ofSeed(seed)
  }
}

let enough = Number(curious)
for (const [place, live] of worldsFor()) {
  where = place
  worlds++
  try {
    const [first] = (await live()).violations
    if (first) caught(first.rule, first.what)
  } catch (error) {
    caught("crash", error instanceof Error ? error.message : String(error))
  }
  if (Object.keys(broken).length > 0 && enough-- <= 0) break
}
tell()
