import { parseArgs } from "node:util"
import { cells } from "./bound.ts"
import { lives, secondsToFind } from "./live.ts"
import { accused, nulls } from "./nulls.ts"
import { falseAlarms, ratioToBound } from "./power.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rollouts: { type: "string", default: "2000" },
    only: { type: "string", default: "ratios,falseAlarms,nulls,live" },
  },
})
const parts = values.only.split(",")
const wanted = (part: string) => parts.includes(part)

const alpha = 0.01
const rollouts = Number(values.rollouts)
const say = (line: string) => process.stderr.write(`${line}\n`)

const ratios = (wanted("ratios") ? cells : []).map((cell) => {
  const ratio = ratioToBound(cell, alpha, rollouts)
  say(`${cell.p0 * 100} % → ${cell.p1 * 100} % at weight ${cell.weight}: ${ratio.toFixed(2)} × the bound`)
  return { ...cell, ratio }
})
const alarms = (wanted("falseAlarms") ? [0.01, 0.05, 0.1, 0.5] : []).map((weight) => {
  const share = falseAlarms(weight, alpha, 5 * rollouts, 3000)
  say(`nothing wrong at weight ${weight}, looking at every request: ${(100 * share).toFixed(2)} % accused`)
  return { weight, share }
})
const broken = Object.fromEntries(
  Object.entries(wanted("nulls") ? nulls : {}).map(([name, null_]) => {
    const share = accused(null_, alpha, rollouts)
    say(`nothing wrong, ${name}: ${(100 * share).toFixed(2)} % accused`)
    return [name, share]
  }),
)
const live = Object.fromEntries(
  Object.entries(wanted("live") ? lives : {}).map(([name, one]) => {
    const seconds = secondsToFind(one, Math.min(400, rollouts))
    say(
      `${name}: found after ${seconds.median ?? "more than 120"} s, nine of ten after ${seconds.p90 ?? "more than 120"}`,
    )
    return [name, seconds]
  }),
)
// A campaign may be run in parts: what was not asked for is left out.
const sorted = ratios.map(({ ratio }) => ratio).sort((a, b) => a - b)
const medianRatio = sorted.length === cells.length ? ((sorted[8] ?? 0) + (sorted[9] ?? 0)) / 2 : undefined
if (medianRatio !== undefined) say(`median ${medianRatio.toFixed(2)} × the bound`)
if (values.json)
  process.stdout.write(
    `${JSON.stringify({ alpha, rollouts, medianRatio, ratios, falseAlarms: alarms, nulls: broken, live })}\n`,
  )
