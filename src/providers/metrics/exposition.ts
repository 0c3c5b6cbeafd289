import type { Instant } from "../../core/model/time.ts"

/** One line of an exposition. */
export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Perhaps NaN or infinite. */
  readonly value: number
  /** When it was measured, where the exposition says so. */
  readonly at: Instant | undefined
}

/**
 * Reads the lines of some metrics from Prometheus' text format 0.0.4 or OpenMetrics 1.0. Throws, with the line,
 * on what is neither, and on an OpenMetrics text that was cut off.
 */
export function readExposition(
  text: string,
  wanted: (name: string) => boolean,
  openMetrics: boolean,
): readonly Sample[] {
  const lines = text.split("\n")
  if (openMetrics && lines.findLast((line) => line.trim() !== "")?.trim() !== "# EOF")
    throw new Error("its text was cut off: OpenMetrics ends with # EOF")
  return lines.flatMap((line, i): readonly Sample[] => {
    if (line.startsWith("#") || line.trim() === "") return []
    const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0]
    if (name === undefined) throw notASample(line, i)
    if (!wanted(name)) return []
    return [readSample(line, i, name, openMetrics)]
  })
}

function readSample(line: string, i: number, name: string, openMetrics: boolean): Sample {
  const { labels, rest } = readLabels(line.slice(name.length), line, i)
  // What stands behind # is an exemplar.
  const [value = "", time, ...more] = rest.split(" # ", 1)[0]?.trim().split(/\s+/) ?? []
  const at = time === undefined ? undefined : Number(time) * (openMetrics ? 1_000 : 1)
  if (value === "" || more.length > 0 || (at !== undefined && !Number.isFinite(at))) throw notASample(line, i)
  return { name, labels, value: numberOf(value, line, i), at }
}

function numberOf(text: string, line: string, i: number): number {
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity
  if (/^nan$/i.test(text)) return Number.NaN
  const value = Number(text)
  if (Number.isNaN(value)) throw notASample(line, i)
  return value
}

function readLabels(text: string, line: string, i: number) {
  const labels: Record<string, string> = Object.create(null)
  let rest = text.trimStart()
  if (!rest.startsWith("{")) return { labels, rest }
  rest = rest.slice(1).trimStart()
  while (!rest.startsWith("}")) {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,\s*|(?=\}))/.exec(rest)
    if (!found) throw notASample(line, i)
    const [all, label = "", value = ""] = found
    labels[label] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c))
    rest = rest.slice(all.length)
  }
  return { labels, rest: rest.slice(1) }
}

const notASample = (line: string, i: number): Error =>
  new Error(`line ${i + 1} of its text is not a metric: ${JSON.stringify(line.slice(0, 60))}`)
