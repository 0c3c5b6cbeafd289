import { type Compared, compare, isFault, type Outcome } from "./compare.ts"
import { explain } from "./explanations.ts"
import { mutated } from "./mutations.ts"

export type Finding = Compared & {
  /** Makes the same bytes again: `--seed SEED --only NUMBER`. */
  readonly seed: number
  readonly number: number
  readonly bytes: string
}

export type FuzzReport = {
  readonly cases: number
  readonly seed: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly acceptedOnlyByUs: number
  /** Differences in what both take, in what goes on, or between the same bytes in other pieces. */
  readonly readDifferently: number
  readonly unexplained: number
  /** How often the router was more careful, by why. */
  readonly explained: readonly {
    readonly outcome: Outcome
    readonly because: string
    readonly count: number
    readonly why: string
  }[]
  readonly findings: readonly Finding[]
}

const mostFindings = 20

/** Puts mutated requests through both readers. The same seed gives the same report. */
export function fuzz(cases: number, seed: number, progress: (done: number) => void = () => {}): FuzzReport {
  const outcomes: Record<Outcome, number> = {
    same: 0,
    "both-refuse": 0,
    stricter: 0,
    waits: 0,
    "accepted-only-by-us": 0,
    "read-differently": 0,
    "rewritten-differently": 0,
    "cut-differently": 0,
  }
  const classes = new Map<string, Compared & { count: number; readonly why: string }>()
  const findings: Finding[] = []
  let unexplained = 0
  for (let number = 0; number < cases; number += 1) {
    const { bytes, compared } = one(seed, number)
    outcomes[compared.outcome] += 1
    const why = explain(compared)
    if (why === undefined) {
      if (!isFault(compared.outcome)) unexplained += 1
      if (findings.length < mostFindings)
        findings.push({ ...compared, seed, number, bytes: bytes.toString("latin1") })
    } else if (compared.outcome === "stricter" || compared.outcome === "waits") {
      const key = `${compared.outcome} ${compared.because}`
      const known = classes.get(key)
      if (known) known.count += 1
      else classes.set(key, { ...compared, count: 1, why })
    }
    if (number % 10_000 === 9_999) progress(number + 1)
  }
  return {
    cases,
    seed,
    outcomes,
    acceptedOnlyByUs: outcomes["accepted-only-by-us"],
    readDifferently:
      outcomes["read-differently"] + outcomes["rewritten-differently"] + outcomes["cut-differently"],
    unexplained,
    explained: [...classes.values()].sort((a, b) => b.count - a.count),
    findings,
  }
}

/** One case again. */
export function one(seed: number, number: number): { readonly bytes: Buffer; readonly compared: Compared } {
  const bytes = mutated(seed, number)
  return { bytes, compared: compare(bytes, seed + number) }
}
