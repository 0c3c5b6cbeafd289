import { parseArgs } from "node:util"
import { faults } from "./list.ts"
import { Findings, type Result, type Scale, type Skipped } from "./stage/result.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    runs: { type: "string" },
    quick: { type: "boolean", default: false },
    rate: { type: "string", default: "500" },
    soak: { type: "string" },
  },
})
const only = values.only?.split(",").map((id) => id.trim().toUpperCase())
const unknown = only?.filter((id) => !faults.some((fault) => fault.id === id)) ?? []
if (unknown.length > 0) {
  console.error(`there is no fault ${unknown.join(", ")}; there are ${faults.map(({ id }) => id).join(", ")}`)
  process.exit(2)
}
const scale: Scale = {
  runs: values.runs === undefined ? undefined : Number(values.runs),
  quick: values.quick,
  rate: Number(values.rate),
  soakMinutes: values.soak === undefined ? (values.quick ? 1 : 5) : Number(values.soak) * 60,
  say: (line) => console.error(`${new Date().toISOString().slice(11, 19)}  ${line}`),
}

const results: Record<string, Result | Skipped> = {}
for (const fault of faults.filter(({ id }) => only === undefined || only.includes(id))) {
  const missing = fault.missing?.()
  scale.say(`${fault.id}: ${fault.title}`)
  if (missing !== undefined) {
    results[fault.id] = { skipped: missing }
    scale.say(`${fault.id} SKIPPED, nothing was proved: ${missing}`)
    continue
  }
  const result = await fault.run(scale).catch((error: unknown) => {
    const findings = new Findings()
    findings.expect(false, `it could not be carried out: ${error instanceof Error ? error.stack : error}`)
    return findings.result()
  })
  results[fault.id] = result
  scale.say(
    "skipped" in result
      ? `${fault.id} SKIPPED, nothing was proved: ${result.skipped}`
      : `${fault.id} ${result.passed ? "passed" : `NOT PASSED: ${result.broken.join(" | ")}`} (${result.seconds} s)`,
  )
}
const ran = Object.values(results).filter((one): one is Result => "runs" in one)
const failed = ran.filter(({ passed }) => !passed).length
scale.say(`${ran.length - failed} passed, ${failed} not, ${Object.keys(results).length - ran.length} skipped`)
console.log(JSON.stringify(results, undefined, values.json ? undefined : 2))
process.exit(failed === 0 ? 0 : 1)
