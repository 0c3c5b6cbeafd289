import type { Label } from "../set.ts"
import type { MakePolicy } from "./policy.ts"

const proof = Math.log(100)

/** Wald's test for who knows what changes, when, and by how much: the bound, no competitor. */
export const oracle: MakePolicy = ({ interval_s }, label) => {
  let evidence = 0
  return {
    tick(t, end) {
      evidence += label.oracle_llr?.[Math.round(t / interval_s) - 1] ?? 0
      if (evidence >= proof) return "rollback"
      return end ? "promote" : "hold"
    },
  }
}

/** When the oracle is sure, in seconds; undefined when never. */
export function oracleTime({ oracle_llr, interval_s }: Label): number | undefined {
  let evidence = 0
  for (const [i, llr] of (oracle_llr ?? []).entries()) {
    evidence += llr
    if (evidence >= proof) return (i + 1) * interval_s
  }
  return undefined
}
