import { DatabaseSync } from "node:sqlite"
import { Cluster, type ClusterOptions } from "../../../support/cluster.ts"
import type { ControlPlane } from "../../../support/control-plane.ts"
import { pause } from "../../../support/until.ts"
import type { Booked } from "./clerk.ts"
import { Clerk } from "./clerk.ts"
import type { Findings, Scale } from "./result.ts"
import { type Failure, Users } from "./users.ts"

/** One production region behind a gate: every kind of step that a rollout has, and each once. */
export const oneRegion = ([listen]: readonly number[], more = ""): string => `version: 1
app: papi
start: node server.js
test: node test.js
run:
  health: { path: /healthz, every: 200ms, healthy: 1 }
  drain: 8s
  keep: 0
regions:
  - { name: production, listen: ${listen}, gate: button, traffic: production, canary: [50%, 100%],
      compare: { for: 3s, warmup: 0s, minSamples: 50, extensions: 20 }, bake: 1s }
metrics:
  http: false
  list:
    error_rate: { kind: error-proportion, tolerate: 2pp, critical: true }
${more}`

export type TrialOptions = ClusterOptions & {
  readonly pipeline?: (ports: readonly number[]) => string
  readonly ports?: number
  /** Milliseconds between two orders of the clerk; undefined: nobody gives orders. */
  readonly clerkEveryMs?: number | undefined
}

/** A cluster with users before it and a clerk who gives orders: what both see goes into the findings. */
export class Trial {
  readonly cluster: Cluster
  readonly findings: Findings
  readonly #rate: number
  #users: Users | undefined
  #clerk: Clerk | undefined
  #closed = false
  /** Times, since the epoch, in which the fault itself costs requests: they are not counted as failed. */
  readonly #excused: { readonly from: number; readonly until: number; readonly why: RegExp }[] = []

  private constructor(cluster: Cluster, findings: Findings, rate: number) {
    this.cluster = cluster
    this.findings = findings
    this.#rate = rate
  }

  static async open(findings: Findings, scale: Scale, options: TrialOptions = {}): Promise<Trial> {
    const { pipeline = oneRegion, ports = 1, app = "test/faults/campaign/app", ...rest } = options
    const cluster = await Cluster.open(ports, pipeline, { app, ...rest })
    findings.runs += 1
    return new Trial(cluster, findings, scale.rate)
  }

  /** Starts the control plane, deploys a first release, then lets users and clerk come. */
  async begin(options: Pick<TrialOptions, "clerkEveryMs"> = {}): Promise<void> {
    this.cluster.serve()
    await this.settle(this.cluster.plane)
    if (options.clerkEveryMs !== undefined) await this.clerk([this.cluster.plane], options.clerkEveryMs)
    this.users()
  }

  /** The application is known to a control plane and its first release runs. */
  async settle(plane: ControlPlane): Promise<string> {
    await this.cluster.add(plane)
    const first = this.cluster.commit("first", "none")
    await this.cluster.climb(first, "succeeded", plane)
    return first
  }

  users(port = this.cluster.ports[1]): Users {
    this.#users ??= new Users(`127.0.0.1:${port}`, this.#rate)
    return this.#users
  }

  async clerk(planes: readonly ControlPlane[], everyMs: number): Promise<Clerk> {
    this.#clerk = new Clerk(planes, everyMs)
    await this.#clerk.start()
    return this.#clerk
  }

  /**
   * What fails from here until the answer is called was broken by the fault itself, and cannot be otherwise: all of it,
   * or what failed in this way.
   */
  excuse(why = /^/): () => void {
    const from = Date.now()
    return () => this.#excused.push({ from, until: Date.now(), why })
  }

  /** The epoch that the router obeys at the moment. */
  async epoch(): Promise<number> {
    const seen = await this.cluster.agent.observe(["papi"], AbortSignal.timeout(2_000))
    return seen.router?.apps.papi?.epoch ?? 0
  }

  /** Notes how long it takes until somebody reconciles under a newer epoch; gives up when `over`. */
  async recovery(since: number, before: number, over = performance.now() + 60_000): Promise<boolean> {
    while (performance.now() < over) {
      const now = await this.epoch().catch(() => 0)
      if (now > before) {
        this.findings.recoveries.push(performance.now() - since)
        return true
      }
      await pause(15)
    }
    return false
  }

  /** All that a journal holds, read from its file. */
  booked(): readonly Booked[] {
    const file = new DatabaseSync(`${this.cluster.plane.options.dir}/immunity.db`, { readOnly: true })
    try {
      const rows = file.prepare("select stream, version, because from event order by sequence").all()
      return rows.map(({ stream, version, because }) => ({
        stream: String(stream),
        version: Number(version),
        because: String(because),
      }))
    } finally {
      file.close()
    }
  }

  /** The instances that run are those that are wanted. */
  async looksForStrays(plane = this.cluster.plane): Promise<void> {
    const app = await this.cluster.quiet(plane)
    const wanted = app.regions.reduce((sum, region) => sum + region.size, 0)
    const running = async () => {
      const { instances } = await this.cluster.agent.observe(["papi"], AbortSignal.timeout(5_000))
      return instances.filter(({ app: of }) => of === "papi").map(({ id }) => id)
    }
    // What was replaced drains first.
    for (let tries = 0; tries < 300 && (await running()).length !== wanted; tries++) await pause(100)
    const left = await running()
    this.findings.leaks += Math.abs(left.length - wanted)
    this.findings.expect(
      left.length === wanted,
      `${left.length} instances run where ${wanted} should: ${left}`,
    )
  }

  /** Users and clerk go home, the books are compared, everything ends. */
  async close(booked: () => Promise<readonly Booked[]> = async () => this.booked()): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { findings } = this
    try {
      if (this.#users) {
        const served = await this.#users.stop()
        findings.requests += served.requests
        this.#count(served.failed)
      }
      if (this.#clerk) {
        await this.#clerk.stop()
        const missing = this.#clerk.missingIn(await booked())
        findings.acknowledged += this.#clerk.acknowledged.length
        findings.lostEvents += missing.length
        findings.expect(missing.length === 0, `acknowledged and not there once: ${missing.slice(0, 3)}`)
      }
    } finally {
      const left = await this.cluster.close()
      findings.leaks += left.length
      findings.expect(left.length === 0, `left behind: ${left.join("; ").slice(0, 500)}`)
    }
  }

  #count(failed: readonly Failure[]): void {
    const excused = ({ at, until, why }: Failure) =>
      this.#excused.some((time) => at < time.until && until > time.from && time.why.test(why))
    const guilty = failed.filter((one) => !excused(one))
    this.findings.failedRequests += guilty.length
    const excusedCount = failed.length - guilty.length
    if (excusedCount > 0)
      this.findings.figures.lostInOutage = Number(this.findings.figures.lostInOutage ?? 0) + excusedCount
    for (const { method, kind, why, at, until } of guilty.slice(0, 3)) {
      const when = `at ${new Date(at).toISOString().slice(11, 19)} after ${until - at} ms`
      this.findings.expect(false, `a ${kind} ${method} failed ${when}: ${why}`)
    }
  }
}

/** Runs a part with a trial that is closed in the end, whatever happens in it. */
export async function withTrial(
  findings: Findings,
  scale: Scale,
  options: TrialOptions,
  part: (trial: Trial) => Promise<void>,
): Promise<void> {
  const trial = await Trial.open(findings, scale, options)
  try {
    await part(trial)
  } catch (error) {
    findings.expect(false, error instanceof Error ? error.message : String(error))
  } finally {
    await trial.close()
  }
}
