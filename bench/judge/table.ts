import type { Scores } from "./scores.ts"

/** The scores as people read them, a column a policy. */
export function tableOf(scores: Readonly<Record<string, Scores>>): string {
  const all = Object.values(scores)
  const row = (title: string, cell: (of: Scores) => string) =>
    title.padEnd(38) + all.map((of) => cell(of).padStart(12)).join("")
  const first = all[0]
  const classes = Object.entries(first?.byClass ?? {})
  return [
    " ".repeat(38) +
      Object.keys(scores)
        .map((name) => name.padStart(12))
        .join(""),
    row("false rollbacks / good cases", (s) => `${s.falseRollbacks}/${s.good}`),
    row("  %, 95 % interval", (s) => s.falseInterval.map((x) => (100 * x).toFixed(1)).join("-")),
    row("recall / bad cases", (s) => `${s.detected}/${s.bad}`),
    row("  %", (s) => (100 * s.recall).toFixed(1)),
    row("promoted; too early", (s) => `${s.promotedBad}; ${s.tooEarly}`),
    row("decided by the end %", (s) => (100 * s.decided).toFixed(1)),
    row("failed", (s) => String(s.failed)),
    row("seconds to detect, median", (s) => told(s.secondsToDetect.median)),
    row("seconds to detect, p90", (s) => told(s.secondsToDetect.p90)),
    row("canary requests to detect, median", (s) => told(s.requestsToDetect)),
    row("time / oracle, median", (s) => told(s.timeOverOracle, 1)),
    row("requests / oracle (errors), median", (s) => told(s.errorRequestsOverOracle.median, 1)),
    row("requests / oracle (errors), p90", (s) => told(s.errorRequestsOverOracle.p90, 1)),
    row("harm %", (s) => told(s.harmShare === null ? null : 100 * s.harmShare, 1)),
    row(
      "failed; slowed requests, thousands",
      (s) => `${told(s.failedRequests / 1e3)};${told(s.slowedRequests / 1e3)}`,
    ),
    "",
    "false rollbacks by class",
    ...classes
      .filter(([, found]) => "falseRollbacks" in found)
      .map(([name, { cases }]) =>
        row(`  ${name} (${cases})`, (s) => {
          const found = s.byClass[name]
          return found && "falseRollbacks" in found ? String(found.falseRollbacks || ".") : ""
        }),
      ),
    "",
    "detected by class; median seconds; times the oracle's time",
    ...classes
      .filter(([, found]) => "detected" in found)
      .map(([name, { cases }]) =>
        row(`  ${name} (${cases})`, (s) => {
          const found = s.byClass[name]
          if (found?.detected === undefined) return ""
          return `${found.detected} ${told(found.secondsToDetect.median)} ${told(found.timeOverOracle)}`
        }),
      ),
  ].join("\n")
}

const told = (value: number | null, decimals = 0): string => (value === null ? "-" : value.toFixed(decimals))
