import { didYouMean } from "../../config/problem.ts"

/** What one side showed in the time up to `at`; what was not measured is absent. */
export type Row = {
  /** Milliseconds, of any clock that both files share. */
  readonly at: number
  readonly requests: number | undefined
  readonly errors: number | undefined
  /** Milliseconds. */
  readonly latency: number | undefined
}

export type Table = { readonly rows: readonly Row[]; readonly columns: ReadonlySet<Column> }

const columns = ["time", "requests", "errors", "latency"] as const
type Column = (typeof columns)[number]

const mostRows = 500_000
const mostTold = 5

/**
 * Reads a CSV file with a header: `time`, then `requests` and `errors`, or `latency`, or all; separated by commas,
 * semicolons or tabs. Throws an Error of one line per mistake, each with the file and its line, at most five.
 */
export function readCsv(text: string, file: string): Table {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/)
  const start = lines.findIndex(isContent)
  const header = lines[start]
  if (header === undefined)
    throw new Error(`${file}: it is empty; its first line names columns: time,requests,errors`)
  const separator = [",", ";", "\t"].find((one) => header.includes(one)) ?? ","
  const names = cells(header, separator).map((name) => name.toLowerCase())
  const wrong = headerProblem(names)
  if (wrong !== undefined) throw new Error(`${file}:${start + 1}: ${wrong}`)
  const problems: string[] = []
  const rows: Row[] = []
  for (let i = start + 1; i < lines.length; i++) {
    const line = lines[i] ?? ""
    if (!isContent(line)) continue
    const row = readRow(cells(line, separator), names, rows.at(-1))
    if (typeof row === "string") {
      problems.push(`${file}:${i + 1}: ${row}`)
      if (problems.length === mostTold) break
    } else rows.push(row)
    if (rows.length > mostRows)
      throw new Error(`${file}:${i + 1}: more than ${mostRows.toLocaleString("en")} rows; sum them up first`)
  }
  if (problems.length > 0) throw new Error(problems.join("\n"))
  if (rows.length < 2)
    throw new Error(`${file}: it has ${rows.length} rows of numbers, and a comparison over time needs more`)
  return { rows, columns: new Set(columns.filter((name) => names.includes(name))) }
}

const isContent = (line: string): boolean => line.trim() !== "" && !line.startsWith("#")

const cells = (line: string, separator: string): readonly string[] =>
  line.split(separator).map((cell) =>
    cell
      .trim()
      .replace(/^"(.*)"$/, "$1")
      .trim(),
  )

function headerProblem(names: readonly string[]): string | undefined {
  const has = (name: Column) => names.includes(name)
  const unknown = names.find((name) => !(columns as readonly string[]).includes(name))
  if (!has("time") && unknown === undefined) return "there is no column time"
  if (unknown !== undefined) {
    const said = /^[+-]?[\d.]/.test(unknown)
      ? " The first line names the columns."
      : didYouMean(unknown, columns)
    return `unknown column ${JSON.stringify(unknown.slice(0, 40))}; there are: ${columns.join(", ")}.${said}`
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) return `the column ${twice} is there twice`
  if (has("errors") !== has("requests"))
    return `errors are judged as a share of requests: the column ${has("errors") ? "requests" : "errors"} is missing`
  if (!has("errors") && !has("latency")) return "there is nothing to judge: errors (with requests) or latency"
  return undefined
}

/** A row, or what is wrong with it. */
function readRow(given: readonly string[], names: readonly string[], before: Row | undefined): Row | string {
  if (given.length !== names.length)
    return `${given.length} cells, and the header names ${names.length} columns`
  const cell = (name: Column) => given[names.indexOf(name)] ?? ""
  const at = timeOf(cell("time"))
  if (at === undefined)
    return `${JSON.stringify(cell("time").slice(0, 40))} is not a time: write seconds, milliseconds since 1970, or 2026-11-21T12:00:00Z`
  if (before && at <= before.at) return `the time ${cell("time")} is not later than that of the row before`
  const numbers: Partial<Record<Column, number>> = {}
  for (const name of ["requests", "errors", "latency"] as const) {
    const text = cell(name)
    if (!names.includes(name) || /^(nan|null|none|-|)$/i.test(text)) continue
    const value = Number(text)
    if (!Number.isFinite(value) || value < 0)
      return `${name} is ${JSON.stringify(text.slice(0, 40))}: a number of 0 or more, or empty where nothing was measured`
    if (name !== "latency" && !Number.isInteger(value)) return `${name} is ${text}: a count is a whole number`
    numbers[name] = value
  }
  const { requests, errors, latency } = numbers
  if (errors !== undefined && requests !== undefined && errors > requests)
    return `${errors} errors of ${requests} requests: errors are some of the requests`
  return { at, requests, errors, latency }
}

/** Small numbers are seconds, of 1970 or of the experiment; large ones milliseconds. */
function timeOf(text: string): number | undefined {
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) {
    const value = Number(text)
    return Math.abs(value) < 1e11 ? value * 1_000 : value
  }
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}
