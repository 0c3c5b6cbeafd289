import { interval, quantile } from "./interval.ts"
import { oracleTime } from "./policies/oracle.ts"
import type { Label } from "./set.ts"

/** What a judge did with a case in the end; `hold` is undecided, `failed` a crash or a wrong answer. */
export type Outcome = {
  readonly case: string
  readonly t: number
  readonly decision: "hold" | "rollback" | "promote" | "failed"
  readonly reason?: string
}

type Row = Outcome & {
  readonly label: Label
  readonly bad: boolean
  readonly early: boolean
  readonly hit: boolean
  readonly timeToDetect: number
  readonly requests: number
  readonly timeRatio?: number
  readonly requestRatio?: number
  readonly harm: number
  readonly harmMost: number
}

function rowOf(label: Label, outcome: Outcome): Row {
  const { interval_s: step, should_rollback: bad, weight } = label
  const seen = Math.floor(outcome.t / step)
  const onset = label.onset_t ?? 0
  const first = Math.floor(onset / step)
  const harms = label.harm ?? []
  const decided = outcome.decision === "rollback" || outcome.decision === "promote"
  const rolledBack = bad && outcome.decision === "rollback"
  const until = sum(decided ? harms.slice(0, seen) : harms)
  // A promoted bad version is everybody's from then on.
  const after = outcome.decision === "promote" ? sum(harms.slice(seen)) / weight : 0
  const requests = sum(label.canary_requests.slice(first, seen))
  const best = oracleTime(label)
  const compared = best !== undefined && best > onset
  return {
    ...outcome,
    label,
    bad,
    early: rolledBack && outcome.t <= onset,
    hit: rolledBack && outcome.t > onset,
    timeToDetect: outcome.t - onset,
    requests,
    ...(compared
      ? {
          timeRatio: (outcome.t - onset) / Math.max(best - onset, step),
          requestRatio:
            requests / Math.max(sum(label.canary_requests.slice(first, Math.floor(best / step))), 1),
        }
      : {}),
    harm: until + after,
    harmMost: sum(harms),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

export type Scores = ReturnType<typeof scoresOf>

/** Every figure over a set; ratios are over detected cases, harm over bad cases that have any. */
export function scoresOf(labels: readonly Label[], outcomes: readonly Outcome[]) {
  const by = new Map(outcomes.map((outcome) => [outcome.case, outcome]))
  const rows = labels.map((label) =>
    rowOf(label, by.get(label.case) ?? { case: label.case, t: label.duration_s, decision: "hold" }),
  )
  const good = rows.filter(({ bad }) => !bad)
  const bad = rows.filter((row) => row.bad)
  const hits = bad.filter(({ hit }) => hit)
  const wrong = good.filter(({ decision }) => decision === "rollback").length
  const harmful = bad.filter(({ harmMost }) => harmMost > 0)
  const requestRatios = hits
    .filter(({ label }) => label.oracle_kind === "proportion" && label.class.startsWith("ab-err"))
    .flatMap(({ requestRatio }) => (requestRatio === undefined ? [] : [requestRatio]))
  const harmIn = (unit: string) =>
    Math.round(sum(bad.filter(({ label }) => label.harm_unit === unit).map(({ harm }) => harm)))
  const classes = [...new Set(rows.map(({ label }) => label.class))].sort()
  return {
    good: good.length,
    falseRollbacks: wrong,
    falseRate: wrong / Math.max(1, good.length),
    falseInterval: interval(wrong, good.length),
    bad: bad.length,
    detected: hits.length,
    recall: hits.length / Math.max(1, bad.length),
    recallInterval: interval(hits.length, bad.length),
    tooEarly: bad.filter(({ early }) => early).length,
    promotedBad: bad.filter(({ decision }) => decision === "promote").length,
    decided:
      rows.filter(({ decision }) => decision === "rollback" || decision === "promote").length / rows.length,
    failed: rows.filter(({ decision }) => decision === "failed").length,
    secondsToDetect: spread(hits.map(({ timeToDetect }) => timeToDetect)),
    requestsToDetect: quantile(
      hits.map(({ requests }) => requests),
      0.5,
    ),
    timeOverOracle: quantile(
      hits.flatMap(({ timeRatio }) => (timeRatio === undefined ? [] : [timeRatio])),
      0.5,
    ),
    errorRequestsOverOracle: spread(requestRatios),
    harmShare:
      harmful.length === 0
        ? null
        : sum(harmful.map(({ harm, harmMost }) => Math.min(1, harm / harmMost))) / harmful.length,
    failedRequests: harmIn("failed requests"),
    slowedRequests: harmIn("slowed requests"),
    lostEvents: harmIn("lost events"),
    byClass: Object.fromEntries(
      classes.map((name) => [name, classScores(rows.filter(({ label }) => label.class === name))]),
    ),
  }
}

const spread = (values: readonly number[]) => ({ median: quantile(values, 0.5), p90: quantile(values, 0.9) })

type ClassScores =
  | { readonly cases: number; readonly falseRollbacks: number; readonly detected?: undefined }
  | {
      readonly cases: number
      readonly detected: number
      readonly recall: number
      readonly secondsToDetect: ReturnType<typeof spread>
      readonly timeOverOracle: number | null
    }

function classScores(rows: readonly Row[]): ClassScores {
  if (rows.every(({ bad }) => !bad))
    return {
      cases: rows.length,
      falseRollbacks: rows.filter(({ decision }) => decision === "rollback").length,
    }
  const hits = rows.filter(({ hit }) => hit)
  return {
    cases: rows.length,
    detected: hits.length,
    recall: hits.length / rows.length,
    secondsToDetect: spread(hits.map(({ timeToDetect }) => timeToDetect)),
    timeOverOracle: quantile(
      hits.flatMap(({ timeRatio }) => (timeRatio === undefined ? [] : [timeRatio])),
      0.5,
    ),
  }
}
