import { defaultTable } from "../src/core/decision/default-table.ts"
import type { ComparePolicy, Policy, RegionPolicy } from "../src/core/model/policy.ts"
import type { AppPlan } from "./scenario.ts"

/** Shows up nowhere: not in an event, not in a log line, not in a notice's text. */
export const secretCanary = "canary-5ec7e7"

/** What the wall clocks show when a run begins. */
export const epoch = 1_700_000_000_000

/** The plan of an application as its immunity.yaml would say it, with windows short enough to simulate many. */
export function policyOf(plan: AppPlan): Policy {
  const sandbox = region("sandbox", plan, {
    strategy: "blue-green",
    size: 1,
    mirror: plan.mirror ? { from: "prod", sample: 1, timeout: 1_000 } : undefined,
    compare: plan.mirror ? compare("prod") : undefined,
  })
  const gate = plan.gate ? { expires: 3_600_000, notAuthor: true } : undefined
  const prod = region("prod", plan, { production: true, gate, compare: compare("previous"), bake: 8_000 })
  const next = region("prod2", plan, { production: true, compare: compare("previous"), bake: 4_000 })
  return {
    app: plan.name,
    build: { command: undefined, output: ".", timeout: 600_000, network: "none" },
    run: {
      start: "node server.js",
      health: { path: "/healthz", every: 1_000, timeout: 1_000, healthy: 1, unhealthy: 3 },
      drain: 1_000,
      memory: undefined,
      env: {},
      keep: 1,
    },
    tests: [{ name: "test", command: "node test.js", timeout: 60_000 }],
    regions: [...(plan.sandbox === false ? [] : [sandbox]), prod, ...(plan.secondRegion ? [next] : [])],
    metrics: [
      {
        name: "error_rate",
        source: { type: "router" },
        kind: "error-proportion",
        worse: "up",
        critical: true,
        tolerateRatio: 0.2,
        tolerateDelta: 0.02,
        max: 0.2,
      },
      {
        name: "crashes",
        source: { type: "agent" },
        kind: "events",
        worse: "up",
        critical: true,
        tolerateRatio: 0.2,
        tolerateDelta: 0,
      },
    ],
    decisions: defaultTable,
    autonomy: { advance: "auto", halt: "auto", rollback: "auto", regions: {} },
    rollback: { irreversible: ["db/migrate/**"], scope: "production" },
    lock: { on: ["halt", "rollback"], scope: "app", preventiveAction: false },
    freeze: plan.freeze
      ? [
          {
            name: "quarter's end",
            when: "now and then",
            zone: "Europe/Berlin",
            spans: [{ from: epoch + plan.freeze[0], until: epoch + plan.freeze[1] }],
          },
        ]
      : [],
    ...(plan.rehearsals
      ? { failures: { every: plan.rehearsals.failures }, drill: { every: plan.rehearsals.drill } }
      : {}),
    notify: [
      {
        webhook: `https://hooks.example/${secretCanary}`,
        on: ["gate", "halt", "rollback", "lock", "hold", "success"],
      },
    ],
  }
}

const compare = (to: string): ComparePolicy => ({
  to,
  for: 6_000,
  warmup: 0,
  minSamples: 100,
  extensions: 3,
  blindLimit: 20_000,
})

function region(name: string, plan: AppPlan, more: Partial<RegionPolicy>): RegionPolicy {
  return {
    name,
    servers: ["local"],
    size: plan.size,
    listen: "127.0.0.1:8101",
    production: false,
    tests: ["test"],
    strategy: plan.strategy,
    weights: plan.strategy === "canary" ? [0.1, 0.5, 1] : [],
    pause: 0,
    gate: undefined,
    mirror: undefined,
    compare: undefined,
    bake: 0,
    deadline: 60_000,
    sticky: { by: "none" },
    ...more,
  }
}
