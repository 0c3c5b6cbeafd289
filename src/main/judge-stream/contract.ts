/** The stream of a judge program: JSON Lines on stdin, one decision a tick on stdout. */
export type Role = "canary" | "control"

export type StreamMetric = {
  readonly name: string
  readonly kind: "proportion" | "count" | "latency-histogram" | "gauge"
  readonly direction: "increase-is-bad" | "decrease-is-bad"
  readonly critical: boolean
  /** The smallest difference that matters: a part of the control's level, and an amount in its unit. */
  readonly margin: { readonly rel: number; readonly abs: number }
  /** `cumulative`: counters since the start of the process; one that falls has started anew from 0. */
  readonly temporality?: "delta" | "cumulative"
  /** Upper bounds of latency buckets in ms; the last is `+Inf`. */
  readonly le?: readonly (number | "+Inf")[]
}

export type Header = {
  readonly type: "header"
  readonly case: string
  /** The canary's share of the traffic. */
  readonly weight: number
  readonly interval_s: number
  readonly duration_s: number
  readonly warmup_s: number
  readonly metrics: readonly StreamMetric[]
}

export type Obs = {
  readonly type: "obs"
  readonly t: number
  readonly metric: string
  readonly role: Role
  readonly errors?: number
  readonly total?: number
  readonly events?: number
  readonly exposure?: number
  readonly counts?: readonly number[]
  /** Whose it is. Every gauge says so; of the other kinds it is optional, and lines of one role are added up. */
  readonly instance?: string
  /** A scrape without an answer says "NaN". */
  readonly value?: number | "NaN"
}

export type Tick = { readonly type: "tick"; readonly t: number; readonly end?: boolean }

export type Line = Header | Obs | Tick

export type Decision = "hold" | "rollback" | "promote"

/** Throws on what is no line of the stream, naming what is missing. */
export function readLine(text: string): Line {
  const line: unknown = JSON.parse(text)
  if (typeof line !== "object" || line === null || !("type" in line))
    throw new Error('a line without "type": expected header, obs or tick')
  const wanted = needed[String(line.type)]
  if (!wanted) throw new Error(`a line of type "${String(line.type)}": expected header, obs or tick`)
  const missing = wanted.find((name) => !(name in line))
  if (missing) throw new Error(`a line of type "${String(line.type)}" without "${missing}"`)
  return line as Line
}

const needed: Readonly<Record<string, readonly string[]>> = {
  header: ["case", "weight", "interval_s", "duration_s", "warmup_s", "metrics"],
  obs: ["t", "metric", "role"],
  tick: ["t"],
}
