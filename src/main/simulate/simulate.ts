import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { exit, Stop } from "../../cli/client.ts"
import { amountOf } from "../../config/units.ts"
import { type Chart, chartOf, span } from "./chart.ts"
import { type Pair, pairRows } from "./pair-rows.ts"
import { readCsv, type Table } from "./read-csv.ts"
import { type Replay, replay, type Tolerance } from "./replay.ts"
import { inSvg } from "./svg.ts"
import { inTerminal } from "./terminal.ts"

export type SimulateOptions = {
  readonly canary: string
  readonly control: string
  readonly svg?: string
  readonly json?: boolean
  readonly tolerateErrors: string
  readonly tolerateLatency: string
}

const mostBytes = 50 * 1024 * 1024

/** What Immunity would have said of two files of measurements: one sentence, a plot, an exit code. */
export function simulate(options: SimulateOptions): void {
  const [canary, control] = [tableIn(options.canary), tableIn(options.control)]
  const tolerated = {
    errors: toleranceOf("--tolerate-errors", options.tolerateErrors),
    latency: toleranceOf("--tolerate-latency", options.tolerateLatency),
  }
  const pairs = pairRows(canary, control)
  const found = replay(pairs, [canary, control], tolerated)
  if (found.metrics.length === 0)
    throw new Stop(exit.usage, `${options.canary} and ${options.control} share neither errors nor latency`)
  if (found.seen === 0)
    throw new Stop(
      exit.usage,
      `no row of ${options.canary} is of the same time as one of ${options.control}: the first times are ${shown(canary)} and ${shown(control)}`,
    )
  const answer = answerOf(found, pairs)
  const charts = found.metrics.map(({ name }) => chartOf(name, pairs, provedAt(name, found, pairs)))
  if (options.svg !== undefined) writeFileSync(options.svg, inSvg(answer, charts))
  if (options.json) process.stdout.write(`${JSON.stringify(forPrograms(found, pairs, answer))}\n`)
  else process.stdout.write(`${answer}\n${forPeople(charts, pairs, found)}`)
  process.exitCode = { good: exit.ok, worse: exit.badEnd, "cannot tell": exit.undecided }[found.end]
}

function tableIn(file: string): Table {
  if (!existsSync(file)) throw new Stop(exit.usage, `${file} does not exist`)
  if (statSync(file).size > mostBytes)
    throw new Stop(exit.usage, `${file} is larger than 50 MB; sum its rows up to seconds first`)
  try {
    return readCsv(readFileSync(file, "utf8"), file)
  } catch (error) {
    throw new Stop(exit.usage, error instanceof Error ? error.message : String(error))
  }
}

/** `20%,0.5pp`: a share of the control, an amount on top, or both. */
function toleranceOf(option: string, text: string): Tolerance {
  const amounts = text.split(",").map((part) => part.trim())
  const wrong = amounts.find((part) => !/^[0-9.]+ ?(%|pp|ms|s)$/.test(part))
  if (wrong !== undefined)
    throw new Stop(exit.usage, `${option} ${text}: "${wrong}" is not an amount such as 20%, 0.5pp or 20ms`)
  const read = amounts.map(amountOf)
  return {
    ratio: read.find(({ relative }) => relative)?.value ?? 0,
    delta: read.find(({ relative }) => !relative)?.value ?? 0,
  }
}

/** The answer in one sentence. */
function answerOf({ end, verdicts, at, seen }: Replay, pairs: readonly Pair[]): string {
  const [first, last] = [pairs[0], pairs[at]]
  const after = span((last?.to ?? 0) - (first?.from ?? 0))
  const said = (kind: (one: string) => boolean) =>
    verdicts
      .filter((verdict) => kind(verdict.kind))
      .map(({ metric, because }) => `${metric}: ${because}`)
      .join("; ")
  switch (end) {
    case "worse":
      return `Worse: Immunity would have rolled back after ${after}, at row ${at + 1} of ${pairs.length} (${said((kind) => kind === "worse")}).`
    case "good":
      return `Good: Immunity would have let it through, ${seen} rows seen in ${after} (${said((kind) => kind === "ok")}).`
    case "cannot tell":
      return `Cannot tell: Immunity would not have decided by itself in ${after} (${said((kind) => kind !== "ok")}).`
  }
}

function provedAt(metric: string, found: Replay, pairs: readonly Pair[]): number | undefined {
  const worse = found.verdicts.some((verdict) => verdict.metric === metric && verdict.kind === "worse")
  return worse ? pairs[found.at]?.to : undefined
}

function forPrograms(found: Replay, pairs: readonly Pair[], answer: string): object {
  const seconds = ((pairs[found.at]?.to ?? 0) - (pairs[0]?.from ?? 0)) / 1_000
  return {
    answer: found.end,
    sentence: answer,
    ...(found.end === "worse" ? { row: found.at + 1, afterSeconds: seconds } : {}),
    rows: pairs.length,
    seen: found.seen,
    verdicts: found.verdicts,
  }
}

function forPeople(charts: readonly Chart[], pairs: readonly Pair[], found: Replay): string {
  const columns = process.stdout.columns ?? 100
  const alone = pairs.filter(({ canary, control }) => !canary || !control).length
  const notes = [
    ...(alone > 0 && found.end !== "worse"
      ? [
          `${alone} of ${pairs.length} rows have no partner of the same time on the other side; they count as unseen.`,
        ]
      : []),
  ]
  return `${[...charts.flatMap((chart) => ["", ...inTerminal(chart, columns)]), ...(notes.length > 0 ? ["", ...notes] : [])].join("\n")}\n`
}

const shown = ({ rows }: Table): string => {
  const at = rows[0]?.at ?? 0
  return at > 1e10 ? new Date(at).toISOString() : `${at / 1_000} s`
}
