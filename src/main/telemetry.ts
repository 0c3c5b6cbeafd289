import { isGone } from "../core/pipeline/remove.ts"
import type { Engine } from "../engine/engine.ts"
import { Remembered } from "../engine/remembered.ts"
import type { Clock } from "../ports/clock.ts"

type Labels = Readonly<Record<string, string>>

/**
 * Immunity's own Prometheus metrics; labels are bounded, no commit ids. Counted from the start, and put into the form
 * of Prometheus when somebody asks: its library is not loaded before, because a control plane that starts again is
 * waited for.
 */
export function telemetry(engine: Engine, clock: Clock): { readonly text: () => Promise<string> } {
  const rollouts = new Tally()
  const decisions = new Tally()
  engine.listen(({ stream, event }) => {
    switch (event.type) {
      case "rollout-succeeded":
      case "rolled-back":
      case "rollout-failed":
      case "rollout-cancelled":
      case "rollback-failed":
        rollouts.add({ app: stream, result: event.type })
        return
      case "looked": {
        const { rule, action, autonomy } = event.look.decision
        decisions.add({ app: stream, rule, action, autonomy })
        return
      }
      default:
        return
    }
  })
  const locks = new Remembered(engine, clock, (state) => (isGone(state) ? undefined : state.locks.length))
  return {
    async text() {
      const { Counter, Gauge, Registry } = await import("prom-client")
      const registry = new Registry()
      const registers = [registry]
      const rolloutsTotal = new Counter({
        name: "immunity_rollouts_total",
        help: "Rollouts that ended, by result",
        labelNames: ["app", "result"],
        registers,
      })
      for (const { labels, value } of rollouts.all()) rolloutsTotal.inc(labels, value)
      const decisionsTotal = new Counter({
        name: "immunity_decisions_total",
        help: "Looks that were decided on, by rule and action",
        labelNames: ["app", "rule", "action", "autonomy"],
        registers,
      })
      for (const { labels, value } of decisions.all()) decisionsTotal.inc(labels, value)
      const locked = new Gauge({
        name: "immunity_locked",
        help: "Locks held, by application",
        labelNames: ["app"],
        registers,
      })
      const present = (await locks.all()).flatMap(({ app, value }) =>
        value === undefined ? [] : { app, value },
      )
      for (const { app, value } of present) locked.set({ app }, value)
      const problems = new Gauge({
        name: "immunity_problems",
        help: "Parts that keep an application's engine from its work",
        labelNames: ["app"],
        registers,
      })
      for (const { app } of present) problems.set({ app }, engine.problems(app).size)
      return registry.metrics()
    },
  }
}

/** How often each combination of labels was seen. */
class Tally {
  readonly #seen = new Map<string, { readonly labels: Labels; value: number }>()

  add(labels: Labels): void {
    const key = JSON.stringify(labels)
    const known = this.#seen.get(key)
    if (known) known.value += 1
    else this.#seen.set(key, { labels, value: 1 })
  }

  all(): Iterable<{ readonly labels: Labels; readonly value: number }> {
    return this.#seen.values()
  }
}
