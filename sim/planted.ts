import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import type { Hunted } from "./planted/hunt.ts"
import type { Mutant } from "./planted/mutant.ts"
import { mutants } from "./planted/mutants.ts"

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    worlds: { type: "string", default: "60" },
    /** Looks on after the first catch, and writes down which seeds caught what. */
    learn: { type: "boolean", default: false },
    processes: { type: "string", default: `${Math.min(2, availableParallelism())}` },
  },
})

/** Per mutant, which seed broke which promise when somebody last looked: tried first, so that a run is short. */
type Catches = Readonly<Record<string, Readonly<Record<string, string>>>>
const catchesFile = new URL("planted/catches.json", import.meta.url)
const catches = JSON.parse(readFileSync(catchesFile, "utf8")) as Catches

type Found = Hunted & { readonly mutant: Mutant; readonly seconds: number }

/**
 * So many seconds a mutant may compute; one that never comes to an end is seen as well. Not by the clock: on a busy
 * machine whoever is only slow would pass for caught.
 */
const patience = 100

const seedsOf = ({ name }: Mutant): string =>
  [...new Set(Object.values(catches[name] ?? {}))].filter((where) => /^\d+$/.test(where)).join(",")

/** Mutants that no longer fit the code: they move with it. */
const stale: string[] = []

const hunt = (mutant: Mutant): Promise<Found> =>
  new Promise((resolve) => {
    const file = new URL("planted/hunt.ts", import.meta.url).pathname
    const most = mutant.equivalent === undefined ? options.worlds : "15"
    const curious = options.learn ? "4" : "0"
    const began = performance.now()
    const done = (hunted: Hunted): void =>
      resolve({ mutant, seconds: Math.round(performance.now() - began) / 1_000, ...hunted })
    const limited = `ulimit -t ${patience}; exec "$@"`
    const node = [process.execPath, "--disable-warning=ExperimentalWarning"]
    execFile(
      "/bin/sh",
      ["-c", limited, "sh", ...node, file, mutant.name, most, curious, seedsOf(mutant)],
      (error, stdout, stderr) => {
        const last = stdout.trim().split("\n").at(-1) ?? ""
        if (last.startsWith("{")) return done(JSON.parse(last) as Hunted)
        if (error?.signal === "SIGXCPU" || error?.signal === "SIGKILL")
          return done({ broken: { hang: "1" }, what: "it never comes to an end", worlds: 1 })
        const why = /mutant "[^\n]*/.exec(stderr)?.[0] ?? stderr.trim().split("\n").slice(0, 8).join(" ")
        stale.push(mutant.name)
        console.error(why)
        done({ broken: {}, what: why, worlds: 0 })
      },
    )
  })

const rulesOf = ({ broken }: Hunted): readonly string[] => Object.keys(broken).sort()
const isCaught = (found: Found): boolean => rulesOf(found).length > 0

const began = performance.now()
const waiting = mutants.filter(({ name }) => name.includes(options.only))
const found: Found[] = []
const worker = async (): Promise<void> => {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const one = await hunt(next)
    found.push(one)
    const [where] = Object.values(one.broken)
    if (!options.json)
      console.log(
        `${(where ?? "SURVIVES").padEnd(8)} ${rulesOf(one).join(" ").padEnd(12)} ${one.seconds} s ${next.name}${one.what ? `: ${one.what}` : ""}`,
      )
  }
}
await Promise.all(Array.from({ length: Number(options.processes) }, worker))

if (options.learn) {
  const learned = Object.fromEntries(
    found.filter(isCaught).map(({ mutant, broken }) => [mutant.name, broken]),
  )
  const kept = Object.entries({ ...catches, ...learned }).filter(([name]) =>
    mutants.some((mutant) => mutant.name === name),
  )
  writeFileSync(
    catchesFile,
    `${JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))), undefined, 2)}\n`,
  )
}

/** I1 to I32 and L1 to L5 of docs/internals/simulation.md. */
const promises = [
  ...Array.from({ length: 32 }, (_, i) => `I${i + 1}`),
  ...Array.from({ length: 5 }, (_, i) => `L${i + 1}`),
]
const covered = new Set(found.flatMap(rulesOf))
const survivors = found.filter((one) => !isCaught(one) && one.mutant.equivalent === undefined)
const summary = {
  planted: found.length,
  caught: found.filter(isCaught).length,
  equivalent: found.filter((one) => !isCaught(one) && one.mutant.equivalent !== undefined).length,
  survivors: survivors.map(({ mutant }) => mutant.name).sort(),
  stale,
  /** How many mutants each promise caught first or next. */
  promises: Object.fromEntries(
    promises.map((rule) => [rule, found.filter((one) => rulesOf(one).includes(rule)).length]),
  ),
  uncovered: options.only === "" ? promises.filter((rule) => !covered.has(rule)) : [],
  seconds: Math.round((performance.now() - began) / 1_000),
}
console.log(JSON.stringify(summary))
process.exitCode = survivors.length + stale.length + summary.uncovered.length > 0 ? 1 : 0
