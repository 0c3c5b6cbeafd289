import type { MakePolicy } from "./policy.ts"
import { total } from "./policy.ts"

/** What not to do: a z-test at 5 % on all errors so far, repeated at every tick. */
export const peek: MakePolicy = () => {
  let [x, n, y, m] = [0, 0, 0, 0]
  return {
    tick(_, end, added) {
      const of = (role: string) => added.filter((obs) => obs.metric === "http_errors" && obs.role === role)
      x += total(of("canary"), "errors")
      n += total(of("canary"), "total")
      y += total(of("control"), "errors")
      m += total(of("control"), "total")
      if (n > 0 && m > 0 && x + y > 0 && x + y < n + m) {
        const p = (x + y) / (n + m)
        if ((x / n - y / m) / Math.sqrt(p * (1 - p) * (1 / n + 1 / m)) > 1.645) return "rollback"
      }
      return end ? "promote" : "hold"
    },
  }
}
