import { madeWorlds } from "./made-worlds.ts"
import { runsOf } from "./runs-of.ts"

/** Every world that was made for a bug, without one: whoever breaks a promise here was made badly. */
const broken: string[] = []
let worlds = 0
for (const [name, made] of Object.entries(madeWorlds))
  for (const live of runsOf(made)) {
    worlds++
    for (const { rule, what } of (await live()).violations) broken.push(`${name}: ${rule}: ${what}`)
  }
console.log(JSON.stringify({ worlds, broken }))
