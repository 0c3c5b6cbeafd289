import type { Header, Obs } from "../../../src/main/judge-stream/contract.ts"
import type { MakePolicy } from "./policy.ts"
import { addUp, histogramQuantile, histogramsOf, sum, total } from "./policy.ts"

const every = 60

/** Once a minute, a check of what the canary did in the last minute; enough failed checks roll back. */
function windowed(fails: (recent: readonly Obs[], header: Header) => boolean, verdict: Verdict): MakePolicy {
  return (header) => {
    let recent: readonly Obs[] = []
    let next = every
    let failed = 0
    return {
      tick(t, end, added) {
        recent = [
          ...recent.filter((obs) => obs.t > t - every),
          ...added.filter(({ role }) => role === "canary"),
        ]
        if (t >= next) {
          next += every
          if (verdict.before(failed)) return "rollback"
          if (fails(recent, header)) failed += 1
          if (verdict.after(failed)) return "rollback"
        }
        return end ? "promote" : "hold"
      },
    }
  }
}

type Verdict = {
  readonly before: (failed: number) => boolean
  readonly after: (failed: number) => boolean
}

function successRate(recent: readonly Obs[]): number | undefined {
  const errors = recent.filter(({ metric }) => metric === "http_errors")
  const all = total(errors, "total")
  return all > 0 ? 1 - total(errors, "errors") / all : undefined
}

function p99(recent: readonly Obs[], header: Header): number | undefined {
  const le = header.metrics.find(({ name }) => name === "http_latency_ms")?.le ?? []
  const counts = addUp(histogramsOf(recent.filter(({ metric }) => metric === "http_latency_ms")))
  return sum(counts) > 0 ? histogramQuantile(0.99, le, counts) : undefined
}

/**
 * Flagger's documented example: success at least 99 % and p99 at most 500 ms; no values is a failed
 * check; rolled back at the run after the fifth failed one.
 */
export const flagger = windowed(
  (recent, header) => {
    const rate = successRate(recent)
    const slow = p99(recent, header)
    return rate === undefined || rate < 0.99 || slow === undefined || slow > 500
  },
  { before: (failed) => failed >= 5, after: () => false },
)

/** Argo Rollouts' documented example: success at least 95 %, no traffic fails, rolled back at the fourth failure. */
export const argo = windowed(
  (recent) => {
    const rate = successRate(recent)
    return rate === undefined || rate < 0.95
  },
  { before: () => false, after: (failed) => failed > 3 },
)
