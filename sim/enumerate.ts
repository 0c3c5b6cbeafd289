import { type ChildProcess, execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import type { Enumerated } from "./enumerate/every-fault.ts"

const { values: options } = parseArgs({
  options: { json: { type: "boolean", default: false }, halts: { type: "string", default: "6" } },
})

const parts = Math.min(2, availableParallelism())
const children: ChildProcess[] = []
const part = (index: number): Promise<Enumerated> =>
  new Promise((resolve, reject) => {
    const file = new URL("enumerate/part.ts", import.meta.url).pathname
    const args = [file, String(index), String(parts), options.halts]
    const child = execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout) as Enumerated),
    )
    children.push(child)
  })

// Whoever has no more time is told what was seen until then.
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    for (const child of children) child.kill("SIGTERM")
  })

const began = performance.now()
const found = await Promise.all(Array.from({ length: parts }, (_, index) => part(index)))
const sum = (of: (part: Enumerated) => number): number => found.reduce((total, part) => total + of(part), 0)
const violations = found.flatMap((part) => part.violations)
for (const { where, rule, what } of violations.slice(0, 20)) console.error(`${where}: ${rule}: ${what}`)
const summary = {
  runs: sum(({ runs }) => runs),
  calls: found[0]?.calls ?? 0,
  withHalt: sum(({ withHalt }) => withHalt),
  violations: violations.length,
  complete: found.every(({ complete }) => complete),
  seconds: Math.round((performance.now() - began) / 100) / 10,
}
console.log(options.json ? JSON.stringify(summary) : summary)
process.exitCode = violations.length > 0 || !summary.complete ? 1 : 0
