import { execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import type { Mutant } from "./planted/mutant.ts"
import { mutants } from "./planted/mutants.ts"

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    worlds: { type: "string", default: "150" },
  },
})

type Found = {
  readonly mutant: Mutant
  readonly first: number | undefined
  readonly rules: readonly string[]
  readonly what: string
}

/** So long a mutant may take; one that never comes to an end is seen as well. */
const patience = 240_000

const hunt = (mutant: Mutant): Promise<Found> =>
  new Promise((resolve, reject) => {
    const file = new URL("planted/hunt.ts", import.meta.url).pathname
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", file, mutant.name, options.worlds],
      { timeout: patience, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        const last = stdout.trim().split("\n").at(-1) ?? ""
        if (last.startsWith("{")) return resolve({ mutant, first: undefined, ...JSON.parse(last) })
        if (error?.killed)
          return resolve({ mutant, first: 1, rules: ["hang"], what: "it never comes to an end" })
        reject(new Error(`mutant "${mutant.name}": ${stderr.trim().split("\n").slice(0, 8).join(" ")}`))
      },
    )
  })

const waiting = mutants.filter(({ name }) => name.includes(options.only))
const found: Found[] = []
const worker = async (): Promise<void> => {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const one = await hunt(next)
    found.push(one)
    if (!options.json)
      console.log(
        `${one.first === undefined ? "SURVIVES" : `seed ${one.first}`.padEnd(8)} ${one.rules.join(" ").padEnd(16)} ${next.name}${one.what ? `: ${one.what}` : ""}`,
      )
  }
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker))

const survivors = found.filter(({ first, mutant }) => first === undefined && mutant.equivalent === undefined)
const equivalent = found.filter(({ first, mutant }) => first === undefined && mutant.equivalent !== undefined)
const summary = {
  planted: found.length,
  caught: found.filter(({ first }) => first !== undefined).length,
  equivalent: equivalent.length,
  survivors: survivors.map(({ mutant }) => mutant.name),
  rules: [...new Set(found.flatMap(({ rules }) => rules))].sort(),
}
console.log(JSON.stringify(summary))
process.exitCode = survivors.length > 0 ? 1 : 0
