import type { CopiedRequest } from "../core/answers/copied.ts"
import type { Measurement, Observation } from "../core/model/measurement.ts"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Cohort, MeasureSpec } from "../core/pipeline/effects.ts"
import type { MetricQuestion } from "../ports/metrics.ts"
import { type Parts, sentence } from "./parts.ts"

/** Asking an outside system more often than this tells nothing new, unless its metric says so. */
const usually: Duration = 5_000

/** Copied requests that wait to be asked again; older ones are dropped. */
const mostCopied = 40

/**
 * Asks what is neither the router nor an agent, beside the looks: a monitoring system that hangs must not slow
 * the eye that watches the users. What arrives belongs to the interval that was asked for.
 */
export class Outside {
  readonly #app: string
  readonly #parts: Pick<Parts, "metrics" | "pace">
  readonly #askedAt = new Map<string, Instant>()
  readonly #out = new Set<string>()
  #arrived: Measurement[] = []
  #copied: readonly CopiedRequest[] = []
  #copiedUntil = 0

  constructor(app: string, parts: Pick<Parts, "metrics" | "pace">) {
    this.#app = app
    this.#parts = parts
  }

  /** Asks if it is time to. Questions of one metric follow one another without gaps and never overlap. */
  ask(metric: MetricPolicy, state: Application, spec: MeasureSpec, now: Instant, signal: AbortSignal): void {
    const every = everyOf(metric)
    const asked = this.#askedAt.get(metric.name)
    if (this.#out.has(metric.name) || (asked !== undefined && now - asked < every)) return
    this.#askedAt.set(metric.name, now)
    this.#out.add(metric.name)
    const from = asked === undefined || now - asked > 2 * every ? now - every : asked
    void this.#observe(metric, state, spec, { from, to: now }, signal).then((measurement) => {
      this.#out.delete(metric.name)
      this.#arrived.push(measurement)
    })
  }

  /**
   * Whether a first answer about what is judged since then may still be on its way: the first question may have begun
   * before, and each ends in a measurement or in a reason for none.
   */
  awaits(metric: MetricPolicy, judgeFrom: Instant, now: Instant): boolean {
    return this.#askedAt.has(metric.name) && now - judgeFrom < 2 * everyOf(metric) + this.#parts.pace.call
  }

  /** Hears which requests were copied lately, one reading after the other; keeps a few that are new. */
  hearCopied(recent: readonly CopiedRequest[], now: Instant): void {
    // A clock that went back must not make everything old.
    const since = Math.min(this.#copiedUntil, now)
    this.#copied = [...this.#copied, ...recent.filter(({ at }) => at > since)].slice(-mostCopied)
    this.#copiedUntil = Math.max(since, ...recent.map(({ at }) => at))
  }

  /** What has arrived since it was last taken. */
  take(): readonly Measurement[] {
    const arrived = this.#arrived
    this.#arrived = []
    return arrived
  }

  /** Never throws. */
  async #observe(
    metric: MetricPolicy,
    state: Application,
    spec: MeasureSpec,
    { from, to }: { readonly from: Instant; readonly to: Instant },
    signal: AbortSignal,
  ): Promise<Measurement> {
    const interval = { metric: metric.name, from, to }
    const source = this.#parts.metrics[metric.source.type]
    if (!source) return { ...interval, blind: `there is no metrics source of type ${metric.source.type}` }
    const until = AbortSignal.any([signal, AbortSignal.timeout(this.#parts.pace.call)])
    const observe = async (
      cohort: Cohort | undefined,
      more?: Pick<MetricQuestion, "against" | "copied">,
    ): Promise<Observation | undefined> =>
      cohort &&
      source.observe(
        { app: this.#app, metric, cohort, addresses: addressesOf(state, cohort), ...more, from, to },
        until,
      )
    if (metric.kind === "answers") {
      // One question is put to both sides at once, and one observation speaks of both.
      const copied = this.#copied
      this.#copied = []
      const against = spec.control && addressesOf(state, spec.control)
      const both = observe(spec.canary, { ...(against ? { against } : {}), copied })
      return both.then(
        (seen) => ({ ...interval, canary: seen, control: seen }),
        (error: unknown) => ({ ...interval, blind: sentence(error) }),
      )
    }
    // A side that cannot be seen takes nothing from the other: a dark canary beside a lit control tells something.
    const [canary, control] = await Promise.allSettled([observe(spec.canary), observe(spec.control)])
    const failed = [canary, control].find((side) => side.status === "rejected")
    const seen = {
      canary: canary.status === "fulfilled" ? canary.value : undefined,
      control: control.status === "fulfilled" ? control.value : undefined,
    }
    if (!comparable(seen.canary, seen.control))
      return { ...interval, blind: `canary and control count ${metric.name} in different buckets` }
    return { ...interval, ...seen, blind: failed && sentence(failed.reason) }
  }
}

const everyOf = ({ source }: MetricPolicy): Duration =>
  "every" in source ? (source.every ?? usually) : usually

/** A request between the edges of one side would count as slow on the other. */
function comparable(a: Observation | undefined, b: Observation | undefined): boolean {
  if (a?.kind !== "histogram" || b?.kind !== "histogram") return true
  return String(a.edges) === String(b.edges)
}

/** Where the instances of a cohort answer now. */
function addressesOf(state: Application, { instances }: Cohort): Readonly<Record<string, string>> {
  const known = state.regions.flatMap((region) => Object.values(region.instances))
  return Object.fromEntries(
    known.flatMap(({ id, address }) =>
      address !== undefined && instances.includes(id) ? [[id, address]] : [],
    ),
  )
}
