import type { RouteSpec } from "../../src/core/pipeline/effects.ts"
import type { Command } from "../../src/core/pipeline/input.ts"
import type { Result } from "../../src/engine/ledger.ts"
import type { Observed } from "../../src/ports/agent.ts"
import type { Writer } from "../../src/ports/evidence.ts"
import type { Append, StoredEvent } from "../../src/ports/journal.ts"
import type { Lease } from "../../src/ports/leases.ts"
import type { Fence } from "../../src/ports/router.ts"
import type { Cluster } from "../cluster.ts"
import type { Plane } from "../plane.ts"
import { secretCanary } from "../policy.ts"
import { AppendRules } from "./append-rules.ts"
import { CommittedLog } from "./log.ts"
import { OrderRules } from "./order-rules.ts"
import { TimedRules } from "./timed-rules.ts"

/** I1 to I32 and L1 to L5 of docs/internals/simulation.md. */
export type Violation = { readonly rule: string; readonly at: number; readonly what: string }

/** Hears of everything that happens and says which promise it breaks. */
export class Checks {
  readonly log = new CommittedLog()
  readonly violations: Violation[] = []
  /** What was acknowledged to a control plane or a person must be there at the end. */
  readonly acked: StoredEvent[] = []
  readonly doneCommands = new Map<string, string>()
  /** When the kill switch was set last. */
  killedAt = Number.POSITIVE_INFINITY
  /** Orders that were sent since somebody began to count. */
  mutations = 0
  /** When the last of them was sent. */
  mutatedAt = Number.NEGATIVE_INFINITY
  readonly #cluster: Cluster
  readonly #appends: AppendRules
  readonly #orders: OrderRules
  readonly #timed: TimedRules

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#appends = new AppendRules(cluster, this)
    this.#orders = new OrderRules(cluster, this)
    this.#timed = new TimedRules(cluster, this)
  }

  violated(rule: string, what: string): void {
    this.violations.push({ rule, at: this.#cluster.timeline.now, what })
    this.#cluster.note("checks", `VIOLATED ${rule}: ${what}`)
  }

  /** After every event. */
  look(): void {
    this.#timed.look()
    this.#orders.look()
  }

  appended(plane: string, append: Append, stored: readonly StoredEvent[]): void {
    if (this.#cluster.tracing)
      for (const { event, by, because } of stored)
        this.#cluster.note(
          plane,
          `${append.stream}: ${event.type}${"rollout" in event ? ` #${event.rollout}` : ""} by ${by}: ${because}`,
        )
    for (const event of stored) this.#cluster.digest.add(event.hash)
    this.#appends.appended(plane, append, stored)
    this.#timed.appended(stored)
  }

  /** What is judged by is added by whoever holds the application, as what is decided. */
  measured(plane: string, { app, epoch }: Writer): void {
    const lease = this.#cluster.store.leases.get(`app/${app}`)
    if (lease?.owner !== plane || lease.epoch !== epoch)
      this.violated(
        "I17",
        `${app}: ${plane} added evidence with epoch ${epoch} while ${lease?.owner} held it with ${lease?.epoch}`,
      )
  }

  acknowledged(stored: readonly StoredEvent[]): void {
    this.acked.push(...stored)
  }

  acquired(
    key: string,
    owner: string,
    before: { readonly owner?: string | undefined; readonly expiresAt?: number },
    lease: Lease | undefined,
  ): void {
    const held =
      before.owner !== undefined &&
      before.owner !== owner &&
      (before.expiresAt ?? 0) > this.#cluster.timeline.now
    if (lease && held) this.violated("I21", `${owner} took ${key} while ${before.owner} held it`)
  }

  /** `holder`: who held it when it was taken, and was there. */
  taken(lease: Lease, owner: string, holder: string | undefined): void {
    if (holder !== undefined && holder !== owner)
      this.violated("I21", `${owner} took ${lease.key} while ${holder} held it`)
    this.#orders.taken(lease)
  }

  leased(plane: string, lease: Lease, asked: number): void {
    this.#orders.leased(plane, lease, asked)
  }

  observed(plane: string, apps: readonly string[], observed: Observed): void {
    this.#orders.observed(plane, apps, observed)
  }

  planeDied(plane: string): void {
    this.#orders.forget(plane)
  }

  sent(plane: Plane, verb: string, fence: Fence, what: unknown): void {
    this.mutations++
    this.mutatedAt = this.#cluster.timeline.now
    this.#orders.sent(plane, verb, fence, what)
    if (verb === "routes") this.#orders.tableSent(plane, fence, what as readonly RouteSpec[])
  }

  acknowledgedTable(fence: Fence, routes: unknown): void {
    this.#orders.acknowledgedTable(fence, routes)
  }

  unknown(plane: Plane, fence: Fence): void {
    this.#orders.unknown(plane, fence)
  }

  arriving(verb: string, fence: Fence, what: unknown): void {
    this.#orders.arriving(verb, fence, what)
  }

  arrived(verb: string, fence: Fence, what: unknown, answer: unknown): void {
    this.#orders.arrived(verb, fence, what, answer as { readonly kind: string })
  }

  answered(app: string, id: string, command: Command, result: Result): void {
    if (result.kind !== "done") return
    const always = ["lock", "pause", "retry", "unlock", "replace-instance"]
    if (always.includes(command.type) && !this.#cluster.store.commands.has(id))
      this.violated("I14", `${app}: ${command.type} was acknowledged and is nowhere in the log`)
    if (!command.type.startsWith("add-app")) this.doneCommands.set(id, app)
    if (command.type !== "approve") return
    const { digest, evidence } = command.bound
    if (digest === "sha256:another")
      this.violated("I9", `an approval of another artifact was taken for rollout ${command.rollout}`)
    if (evidence === "old")
      this.violated("I9", `an approval of older evidence was taken for rollout ${command.rollout}`)
  }

  killed(): void {
    this.killedAt = this.#cluster.timeline.now
  }

  logged(line: string): void {
    if (line.includes(secretCanary)) this.violated("I32", `a log line tells a secret: ${line}`)
    if (line.includes("did not settle")) this.violated("I18", line)
  }
}
