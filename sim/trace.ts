import type { Line } from "./cluster.ts"
import type { Outcome } from "./run.ts"

/** What is asked again and again and rarely matters to a reader. */
const chatter =
  /^(waiting-orders|outbox|feed|renew|acquire|observe|counters|head|put-evidence|add-interval|command-result|intervals)$/

const quiet = (lines: readonly Line[]): readonly Line[] =>
  lines.filter(({ from, to, text }) => from === to || !chatter.test(text))

/** A run as a person reads it: when, who, to whom, what; and what it came to. */
export function asText(outcome: Outcome, all: boolean): string {
  const { scenario, lines, violations } = outcome
  const { happenings, ...world } = scenario
  return [
    JSON.stringify(world),
    ...happenings.map((happening) => `  will happen: ${JSON.stringify(happening)}`),
    ...(all ? lines : quiet(lines)).map(
      ({ at, from, to, text }) =>
        `${seconds(at).padStart(9)}  ${(from === to ? from : `${from} → ${to}`).padEnd(18)}${text}`,
    ),
    violations.length === 0 ? "no promise was broken" : "",
    ...violations.map(({ rule, at, what }) => `${seconds(at).padStart(9)}  BROKEN ${rule}: ${what}`),
  ].join("\n")
}

/** The end of a run as a sequence diagram (Mermaid). */
export function asDiagram(outcome: Outcome, last = 60): string {
  const lines = quiet(outcome.lines).slice(-last)
  const who = [...new Set(lines.flatMap(({ from, to }) => [from, to]))]
  const text = (line: Line): string =>
    `${seconds(line.at)} ${line.text}`.replaceAll(/[#;:"{}]/g, " ").slice(0, 90)
  return [
    "sequenceDiagram",
    ...who.map((name) => `  participant ${name}`),
    ...lines.map((line) =>
      line.from === line.to
        ? `  Note over ${line.from}: ${text(line)}`
        : `  ${line.from}->>${line.to}: ${text(line)}`,
    ),
    ...outcome.violations.map(
      ({ rule, what }) =>
        `  Note over ${who[0] ?? "checks"}: BROKEN ${rule} ${what.replaceAll(/[#;:"{}]/g, " ")}`,
    ),
  ].join("\n")
}

const seconds = (at: number): string => `${(at / 1_000).toFixed(3)}s`
