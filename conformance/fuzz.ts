// Mutated requests through the router's parser and through llhttp: nothing may be accepted by the router alone.
import { parseArgs } from "node:util"
import { readWithLlhttp } from "./fuzz/llhttp.ts"
import { readWithOurs } from "./fuzz/ours.ts"
import { fuzz, one } from "./fuzz/run.ts"

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
})

const number = (flag: string, text: string): number => {
  const read = Number(text)
  if (!Number.isSafeInteger(read) || read < 0) throw new Error(`--${flag} ${text} is not a whole number`)
  return read
}

const seed = number("seed", values.seed)
if (values.only !== undefined) {
  const { bytes, compared } = one(seed, number("only", values.only))
  const ours = readWithOurs(bytes)
  console.log(JSON.stringify({ bytes: bytes.toString("latin1"), compared }, undefined, 2))
  console.log("ours  ", JSON.stringify({ messages: ours.messages, stopped: ours.stopped }))
  console.log("llhttp", JSON.stringify(readWithLlhttp(bytes, undefined)))
} else {
  const report = fuzz(number("cases", values.cases), seed, (done) =>
    process.stderr.write(`fuzz: ${done} cases\n`),
  )
  for (const { count, outcome, because, why } of report.explained)
    process.stderr.write(`${String(count).padStart(7)}  ${outcome}: ${because}. ${why}\n`)
  for (const finding of report.findings) process.stderr.write(`FINDING ${JSON.stringify(finding)}\n`)
  if (values.json) console.log(JSON.stringify(report))
  else
    console.log(
      `${report.cases} cases: ${report.acceptedOnlyByUs} accepted only by the router, ${report.readDifferently} read differently, ${report.unexplained} unexplained`,
    )
  if (report.acceptedOnlyByUs + report.readDifferently + report.unexplained > 0) process.exitCode = 1
}
