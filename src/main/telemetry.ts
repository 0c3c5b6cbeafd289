import { Counter, Gauge, Registry } from "prom-client"
import type { Engine } from "../engine/engine.ts"

/** Immunity's own Prometheus metrics; labels are bounded, no commit ids. */
export function telemetry(engine: Engine): { readonly text: () => Promise<string> } {
  const registry = new Registry()
  const registers = [registry]
  const rollouts = new Counter({
    name: "immunity_rollouts_total",
    help: "Rollouts that ended, by result",
    labelNames: ["app", "result"],
    registers,
  })
  const decisions = new Counter({
    name: "immunity_decisions_total",
    help: "Looks that were decided on, by rule and action",
    labelNames: ["app", "rule", "action", "autonomy"],
    registers,
  })
  new Gauge({
    name: "immunity_locked",
    help: "Locks held, by application",
    labelNames: ["app"],
    registers,
    collect() {
      this.reset()
      for (const app of engine.apps()) this.set({ app }, engine.state(app)?.locks.length ?? 0)
    },
  })
  new Gauge({
    name: "immunity_problems",
    help: "Parts that keep an application's engine from its work",
    labelNames: ["app"],
    registers,
    collect() {
      this.reset()
      for (const app of engine.apps()) this.set({ app }, engine.problems(app).size)
    },
  })
  engine.listen(({ stream, event }) => {
    switch (event.type) {
      case "rollout-succeeded":
      case "rolled-back":
      case "rollout-failed":
      case "rollout-cancelled":
      case "rollback-failed":
        rollouts.inc({ app: stream, result: event.type })
        return
      case "looked": {
        const { rule, action, autonomy } = event.look.decision
        decisions.inc({ app: stream, rule, action, autonomy })
        return
      }
      default:
        return
    }
  })
  return { text: () => registry.metrics() }
}
