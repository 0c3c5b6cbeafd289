import type { Observation } from "../../core/model/measurement.ts"
import type { Instant } from "../../core/model/time.ts"

/**
 * Reads an answer of Prometheus' HTTP API: one value per series and step, of the steps within the window.
 * Undefined when nothing in it is a finite number of that time. Throws, with a sentence, when it is no such
 * answer.
 */
export function readAnswer(
  body: string,
  window: { readonly oldest: Instant; readonly newest: Instant },
): Observation | undefined {
  const values = pointsOf(parsed(body)).flatMap(([seconds, text]) => {
    const at = seconds * 1_000
    // Prometheus writes NaN and infinities as words; neither is a measurement.
    const value = text.trim() === "" ? Number.NaN : Number(text)
    return at >= window.oldest && at <= window.newest && Number.isFinite(value) ? [value] : []
  })
  return values.length === 0 ? undefined : { kind: "gauge", values }
}

/** What an answer says went wrong, if it is one that says so. */
export function readProblem(body: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(body)
    return isRecord(answer) && typeof answer.error === "string" ? answer.error.slice(0, 300) : undefined
  } catch {
    return undefined
  }
}

type Point = readonly [seconds: number, value: string]

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Error(`what it answered is not JSON: ${JSON.stringify(body.slice(0, 60))}`)
  }
}

function pointsOf(answer: unknown): readonly Point[] {
  if (!isRecord(answer)) throw new Error("its answer is not that of Prometheus")
  if (answer.status !== "success")
    throw new Error(`it refused the query: ${String(answer.error).slice(0, 300)}`)
  const data = answer.data
  if (!isRecord(data)) throw new Error("its answer has no data")
  switch (data.resultType) {
    case "matrix":
      return seriesOf(data.result).flatMap((series) => listOf(series.values ?? []).map(point))
    case "vector":
      return seriesOf(data.result).flatMap((series) =>
        series.value === undefined ? [] : [point(series.value)],
      )
    case "scalar":
      return [point(data.result)]
    default:
      throw new Error(`the query gives a ${String(data.resultType)}, not numbers over time`)
  }
}

function point(value: unknown): Point {
  if (Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "string")
    return [value[0], value[1]]
  throw new Error("its answer has a sample that is not a time and a value")
}

const seriesOf = (value: unknown): readonly Record<string, unknown>[] =>
  listOf(value).map((series) => {
    if (isRecord(series)) return series
    throw new Error("its answer has a series that is not one")
  })

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error("its answer has no list of results")
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
