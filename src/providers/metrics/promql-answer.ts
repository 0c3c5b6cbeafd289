import type { InstanceId } from "../../core/model/ids.ts"
import type { Instant } from "../../core/model/time.ts"
import { isRecord } from "./ask.ts"

/** One value of a series, and the bound of its bucket and the instance it is of where the series says so. */
export type Point = {
  readonly value: number
  readonly le: number | undefined
  readonly instance: InstanceId | undefined
}

/**
 * Reads an answer of Prometheus' HTTP API: one value per series and step, of the steps within the window. A series is
 * of the one of these instances whose id stands in one of its labels, alone or before a port.
 * Empty when nothing in it is a finite number of that time. Throws, with a sentence, when it is no such
 * answer.
 */
export function readAnswer(
  answer: unknown,
  window: { readonly oldest: Instant; readonly newest: Instant },
  instances: readonly InstanceId[] = [],
): readonly Point[] {
  return pointsOf(answer, instances).flatMap(({ seconds, text, le, instance }) => {
    const at = seconds * 1_000
    // Prometheus writes NaN and infinities as words; neither is a measurement.
    const value = text.trim() === "" ? Number.NaN : Number(text)
    return at >= window.oldest && at <= window.newest && Number.isFinite(value)
      ? [{ value, le, instance }]
      : []
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

type Told = Omit<Point, "value"> & { readonly seconds: number; readonly text: string }

/** What a series says of all its values. */
type Labels = Pick<Point, "le" | "instance">

function pointsOf(answer: unknown, instances: readonly InstanceId[]): readonly Told[] {
  const labelsOf = (series: Record<string, unknown>): Labels => ({
    le: leOf(series),
    instance: instanceOf(series, instances),
  })
  if (!isRecord(answer)) throw new Error("its answer is not that of Prometheus")
  if (answer.status !== "success")
    throw new Error(`it refused the query: ${String(answer.error).slice(0, 300)}`)
  const data = answer.data
  if (!isRecord(data)) throw new Error("its answer has no data")
  switch (data.resultType) {
    case "matrix":
      return seriesOf(data.result).flatMap((series) => {
        const labels = labelsOf(series)
        return listOf(series.values ?? []).map((value) => point(value, labels))
      })
    case "vector":
      return seriesOf(data.result).flatMap((series) =>
        series.value === undefined ? [] : [point(series.value, labelsOf(series))],
      )
    case "scalar":
      return [point(data.result, { le: undefined, instance: undefined })]
    default:
      throw new Error(`the query gives a ${String(data.resultType)}, not numbers over time`)
  }
}

function point(value: unknown, labels: Labels): Told {
  if (Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "string")
    return { seconds: value[0], text: value[1], ...labels }
  throw new Error("its answer has a sample that is not a time and a value")
}

function leOf({ metric }: Record<string, unknown>): number | undefined {
  const le = isRecord(metric) ? metric.le : undefined
  if (typeof le !== "string") return undefined
  return le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le)
}

/** Undefined where none of them is named, or several are. */
function instanceOf(
  { metric }: Record<string, unknown>,
  instances: readonly InstanceId[],
): InstanceId | undefined {
  const labels = isRecord(metric) ? Object.values(metric) : []
  const named = instances.filter((id) =>
    labels.some((label) => typeof label === "string" && (label === id || label.startsWith(`${id}:`))),
  )
  return named.length === 1 ? named[0] : undefined
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
