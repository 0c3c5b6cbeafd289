import { defaultTable } from "../core/decision/default-table.ts"
import type { Policy, RegionPolicy } from "../core/model/policy.ts"
import type { Verdict, VerdictKind } from "../core/model/verdict.ts"
import type { Application, Source } from "../core/pipeline/application.ts"
import { decide } from "../core/pipeline/decide.ts"
import type { Limits, Refusal } from "../core/pipeline/draft.ts"
import type { Effect, MeasureSpec, RouteSpec } from "../core/pipeline/effects.ts"
import type { Event, Recorded } from "../core/pipeline/events.ts"
import { evolve } from "../core/pipeline/evolve.ts"
import type { Command, Fact, InstanceFacts } from "../core/pipeline/input.ts"
import { nothing } from "../core/pipeline/nothing.ts"
import { wanted } from "../core/pipeline/wanted.ts"

/** How the simulated world misbehaves. */
export type Faults = {
  /** Tests of these commits fail. */
  readonly failingTests?: ReadonlySet<string>
  /** Instances of these commits never get healthy. */
  readonly neverHealthy?: ReadonlySet<string>
  /** No instance can be started: its artifact cannot be had, or there is no room. */
  readonly nothingStarts?: boolean
}

/** A world without time of its own that makes true what the core wants; for tests of the core alone. */
export class CoreWorld {
  state: Application
  now = 1_000_000
  readonly events: Recorded[] = []
  faults: Faults
  /** What the rest of the system allows. */
  limits: Limits = {}
  /** Servers that do not answer, and for how long; what runs there goes on. The router is on another one. */
  readonly silent = new Map<string, number>()
  /** Servers that a person wants empty, and why. */
  readonly drained = new Map<string, string>()
  readonly #where = new Map<string, string>()
  readonly #instances = new Map<string, InstanceFacts>()
  readonly #released = new Set<string>()
  #routes: readonly RouteSpec[] = []

  constructor(app = "papi", faults: Faults = {}) {
    this.state = nothing(app)
    this.faults = faults
  }

  /** Gives an input to the core; what it answered. */
  give(
    input: Command | Fact,
    by = "Mira",
  ): { readonly events: readonly Event[]; readonly refused: Refusal | undefined } {
    const decided = decide(this.state, { ...input, at: this.now, by }, this.limits)
    if ("refused" in decided) return { events: [], refused: decided.refused }
    for (const event of decided.events) this.state = evolve(this.state, event)
    this.events.push(...decided.events)
    return { events: decided.events.map((recorded) => recorded.event), refused: undefined }
  }

  /** `source`: where it was read, when that is said. */
  push(id: string, policy: Policy, changed: readonly string[] = ["server.js"], source?: Source): string {
    const commit = id.padEnd(40, "0")
    this.give(
      {
        type: "commit-seen",
        source,
        commit,
        subject: `change ${id}`,
        author: "Ana",
        email: "ana@example.com",
        committedAt: this.now,
        changed,
        config: { policy },
      },
      "immunity",
    )
    return commit
  }

  wants(): readonly Effect[] {
    return wanted(this.state, this.now).effects
  }

  measures(): readonly MeasureSpec[] {
    return this.wants().flatMap((effect) => (effect.kind === "measure" ? [effect.measure] : []))
  }

  /** One turn: every effect happens, and the world is looked at. */
  turn(afterMs = 1_100): void {
    this.now += afterMs
    for (const effect of this.wants()) this.#do(effect)
    this.observe()
  }

  turns(count: number): void {
    for (let i = 0; i < count; i++) this.turn()
  }

  /** Turns until nothing new happens; gates and judged steps wait for whoever drives the test. */
  settle(): void {
    for (let quiet = 0, i = 0; quiet < 3 && i < 100; i++) {
      const before = this.events.length
      this.turn()
      quiet = this.events.length === before ? quiet + 1 : 0
    }
  }

  /** The judge looks at everything that is measured now. */
  look(verdicts: readonly Verdict[], observed = 600_000, sourceBroken = false): readonly Event[] {
    return this.measures().flatMap(
      ({ rollout, stage }) =>
        this.give(
          {
            type: "looked",
            rollout,
            stage,
            verdicts,
            sourceBroken,
            observed,
            evidence: `e${this.events.length}`,
          },
          "immunity",
        ).events,
    )
  }

  approveAll(): void {
    for (const rollout of Object.values(this.state.rollouts)) {
      if (rollout.phase.name === "queued" && rollout.phase.gate) {
        this.give({ type: "approve", rollout: rollout.number, reason: "fine", bound: {} })
      }
    }
  }

  /** Carries everything as far as it goes when every look is good. */
  allTheWay(): void {
    for (let i = 0; i < 30; i++) {
      this.settle()
      this.approveAll()
      this.look([verdict("ok", true)])
    }
  }

  crash(id: string): void {
    const known = this.#instances.get(id)
    if (known)
      this.#instances.set(id, {
        ...known,
        state: "ended",
        exit: { code: 1, signal: undefined, because: "ended with exit code 1" },
      })
  }

  /** Its probe fails until it recovers. */
  fail(id: string): void {
    const known = this.#instances.get(id)
    if (known) this.#instances.set(id, { ...known, state: "unready" })
  }

  recover(id: string): void {
    const known = this.#instances.get(id)
    if (known) this.#instances.set(id, { ...known, state: "ready" })
  }

  /** Its server is gone, and it with it. */
  lose(id: string): void {
    this.#instances.delete(id)
  }

  modify(id: string): void {
    const known = this.#instances.get(id)
    if (known) this.#instances.set(id, { ...known, differences: [{ path: "papi.json", what: "changed" }] })
  }

  observe(): void {
    const routes = Object.fromEntries(
      this.#routes.map((route) => [
        route.route,
        Object.fromEntries(route.pools.map((pool) => [pool.pool, pool.weight])),
      ]),
    )
    const released = [...this.#released]
    const servers = new Set(["local", ...this.#where.values()])
    this.give(
      {
        type: "observed",
        servers: [...servers]
          .filter((server) => !this.silent.has(server))
          .map((server) => ({
            server,
            instances: this.runningOn(server),
            routes: server === "local" ? routes : undefined,
            released,
          })),
        standings: [...new Set([...this.silent.keys(), ...this.drained.keys()])].map((server) => {
          const forMs = this.silent.get(server)
          return {
            server,
            silent: forMs === undefined ? undefined : { forMs, because: `${server} does not answer` },
            drained: this.drained.get(server),
          }
        }),
        letGo: released,
      },
      "immunity",
    )
    this.give({ type: "tick" }, "immunity")
  }

  /** What really runs there, whether or not anybody can see it. */
  runningOn(server: string): readonly InstanceFacts[] {
    return [...this.#instances.values()].filter(({ instance }) => this.#where.get(instance) === server)
  }

  /** Everything there ends at once, as with its power. */
  loseAllOn(server: string): void {
    for (const { instance } of this.runningOn(server)) this.#instances.delete(instance)
  }

  #do(effect: Effect): void {
    switch (effect.kind) {
      case "run-job": {
        const { job } = effect
        const fails = job.kind === "test" && this.faults.failingTests?.has(job.release)
        const outcome =
          job.kind === "build"
            ? ({ kind: "built", digest: `sha256:${job.commit.padEnd(64, "0")}`, bytes: 1 } as const)
            : fails
              ? ({ kind: "failed", because: "exit code 1" } as const)
              : ({ kind: "passed" } as const)
        this.give({ type: "job-ended", job: job.id, outcome }, "immunity")
        return
      }
      case "start-instance": {
        const { id, release } = effect.instance
        if (this.#instances.has(id) || this.faults.nothingStarts || this.silent.has(effect.instance.server))
          return
        this.#where.set(id, effect.instance.server)
        const state = this.faults.neverHealthy?.has(release) ? "starting" : "ready"
        this.#instances.set(id, {
          instance: id,
          state,
          address: `127.0.0.1:${20_000 + this.#instances.size}`,
          exit: undefined,
          differences: [],
        })
        return
      }
      case "release-instance":
        this.#released.add(effect.instance)
        return
      case "stop-instance":
        if (this.silent.has(effect.server)) return
        this.#instances.delete(effect.instance)
        return
      case "set-routes":
        this.#routes = effect.routes
        return
      case "measure":
        return
    }
  }
}

export const verdict = (kind: VerdictKind, critical: boolean, more: Partial<Verdict> = {}): Verdict => ({
  metric: critical ? "error_rate" : "latency_p50",
  kind,
  critical,
  because: `it is ${kind}`,
  unit: "%",
  logEvidence: 0,
  controlAlsoBad: false,
  ...more,
})

/** The Papi pipeline: two sandboxes, then production behind a button, one instance after the other. */
export function papiPolicy(more: Partial<Policy> = {}): Policy {
  return {
    app: "papi",
    build: { command: undefined, output: ".", network: "none", timeout: 600_000 },
    run: {
      start: "node server.js",
      health: { path: "/healthz", every: 1_000, timeout: 1_000, healthy: 1, unhealthy: 3 },
      drain: 1_000,
      memory: undefined,
      env: {},
      keep: 1,
    },
    tests: [{ name: "test", command: "node test.js", timeout: 60_000 }],
    regions: [
      region("sandbox1", {}),
      region("sandbox2", { mirror: { from: "prod3", sample: 1, timeout: 1_000 }, compare: compare("prod3") }),
      region("prod3", {
        production: true,
        gate: { expires: 86_400_000, notAuthor: false },
        strategy: "one-at-a-time",
        compare: compare("previous"),
        bake: 60_000,
      }),
      region("prod4", {
        production: true,
        size: 2,
        strategy: "one-at-a-time",
        compare: compare("peers"),
        bake: 60_000,
      }),
    ],
    metrics: [],
    decisions: defaultTable,
    autonomy: { advance: "auto", halt: "auto", rollback: "auto", regions: {} },
    rollback: { irreversible: ["db/migrate/**"], scope: "production" },
    lock: { on: ["halt", "rollback"], scope: "app", preventiveAction: false },
    freeze: [],
    notify: [],
    ...more,
  }
}

const compare = (to: string): NonNullable<RegionPolicy["compare"]> => ({
  to,
  for: 300_000,
  warmup: 0,
  minSamples: 100,
  extensions: 1,
  blindLimit: 600_000,
})

function region(name: string, more: Partial<RegionPolicy>): RegionPolicy {
  return {
    name,
    servers: ["local"],
    size: 1,
    listen: "127.0.0.1:8101",
    production: false,
    tests: ["test"],
    strategy: "blue-green",
    weights: [],
    pause: 0,
    gate: undefined,
    mirror: undefined,
    compare: undefined,
    bake: 0,
    deadline: 300_000,
    sticky: { by: "none" },
    ...more,
  }
}
