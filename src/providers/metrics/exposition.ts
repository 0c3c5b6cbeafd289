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
  const samples: Sample[] = []
  for (const [i, line] of lines.entries()) {
    if (line.startsWith("#") || line.trim() === "") continue
    const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0]
    if (name === undefined) throw notASample(line, i)
    if (!wanted(name)) continue
    if (samples.length === mostSamples)
      throw new Error(
        `it has more than ${mostSamples.toLocaleString("en")} series of ${name}: count in fewer labels`,
      )
    samples.push(readSample(line, i, name, openMetrics))
  }
  return samples
}

/** Of one metric: reading them must not hold up everything else. */
const mostSamples = 10_000

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

const oneLabel = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,\s*|(?=\}))/y

function readLabels(text: string, line: string, i: number) {
  const labels: Record<string, string> = Object.create(null)
  const start = text.search(/\S/)
  if (text[start] !== "{") return { labels, rest: text }
  let at = text.slice(start + 1).search(/\S/) + start + 1
  while (text[at] !== "}") {
    oneLabel.lastIndex = at
    const found = oneLabel.exec(text)
    if (!found) throw notASample(line, i)
    const [all, label = "", value = ""] = found
    labels[label] = value.includes("\\") ? unescaped(value) : value
    at += all.length
  }
  return { labels, rest: text.slice(at + 1) }
}

const unescaped = (value: string): string => value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c))

const notASample = (line: string, i: number): Error =>
  new Error(`line ${i + 1} of its text is not a metric: ${JSON.stringify(line.slice(0, 60))}`)
