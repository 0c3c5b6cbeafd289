import type { Instant } from "../../core/model/time.ts"
import { isRecord } from "./ask.ts"

/** One value of a series, and the bound of its bucket where it has one. */
export type Point = { readonly value: number; readonly le: number | undefined }

/**
 * Reads an answer of Prometheus' HTTP API: one value per series and step, of the steps within the window.
 * Empty when nothing in it is a finite number of that time. Throws, with a sentence, when it is no such
 * answer.
 */
export function readAnswer(
  answer: unknown,
  window: { readonly oldest: Instant; readonly newest: Instant },
): readonly Point[] {
  return pointsOf(answer).flatMap(({ seconds, text, le }) => {
    const at = seconds * 1_000
    // Prometheus writes NaN and infinities as words; neither is a measurement.
    const value = text.trim() === "" ? Number.NaN : Number(text)
    return at >= window.oldest && at <= window.newest && Number.isFinite(value) ? [{ value, le }] : []
  })
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

type Told = { readonly seconds: number; readonly text: string; readonly le: number | undefined }

function pointsOf(answer: unknown): readonly Told[] {
  if (!isRecord(answer)) throw new Error("its answer is not that of Prometheus")
  if (answer.status !== "success")
    throw new Error(`it refused the query: ${String(answer.error).slice(0, 300)}`)
  const data = answer.data
  if (!isRecord(data)) throw new Error("its answer has no data")
  switch (data.resultType) {
    case "matrix":
      return seriesOf(data.result).flatMap((series) =>
        listOf(series.values ?? []).map((value) => point(value, leOf(series))),
      )
    case "vector":
      return seriesOf(data.result).flatMap((series) =>
        series.value === undefined ? [] : [point(series.value, leOf(series))],
      )
    case "scalar":
      return [point(data.result, undefined)]
    default:
      throw new Error(`the query gives a ${String(data.resultType)}, not numbers over time`)
  }
}

function point(value: unknown, le: number | undefined): Told {
  if (Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "string")
    return { seconds: value[0], text: value[1], le }
  throw new Error("its answer has a sample that is not a time and a value")
}

function leOf({ metric }: Record<string, unknown>): number | undefined {
  const le = isRecord(metric) ? metric.le : undefined
  if (typeof le !== "string") return undefined
  return le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le)
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
