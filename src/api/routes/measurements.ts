import type { FastifyInstance } from "fastify"
import type { Static } from "typebox"
import { shortCommit } from "../../core/model/ids.ts"
import type { MetricPolicy } from "../../core/model/policy.ts"
import type { Instant } from "../../core/model/time.ts"
import type { Application, Instance } from "../../core/pipeline/application.ts"
import type { Pushed, Told } from "../../ports/inbox.ts"
import { Measurements } from "../contract/commands.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import type { ProblemCode } from "../problems.ts"
import { check } from "./commands.ts"
import { stateOf } from "./reads.ts"

type Measured = Static<typeof Measurements>["measurements"][number]

/** Clocks may be ahead of ours by so much, in milliseconds; what is older than the second is nobody's interval. */
const mostAhead = 30_000
const mostBehind = 5 * 60_000

/** Instances tell what they count. All of a request is kept, or nothing of it. */
export function measurementRoute(api: FastifyInstance, parts: ApiParts): void {
  api.post<{ Params: { app: string } }>("/v1/apps/:app/measurements", async (request, reply) => {
    const { app } = request.params
    const state = stateOf(parts, app)
    const { measurements } = check(Measurements, request.body)
    if (parts.engine.follows(app))
      throw new ApiError(
        "not-leader",
        "another control plane holds this application and judges it; push to that one",
      )
    const now = parts.clock.now()
    const kept = parts.inbox.accept(app, readMeasured(state, measurements, now), now)
    if (kept === "full")
      throw new ApiError(
        "too-many",
        "more numbers of this application wait than are kept; push sums of a few seconds instead of every event",
      )
    return reply.code(202).send({ ok: true, ...kept })
  })
}

/** Checks every measurement against what is known of the instances and asked by the policies. Throws on the first wrong one. */
export function readMeasured(
  state: Application,
  measurements: readonly Measured[],
  now: Instant,
): readonly Pushed[] {
  return measurements.map((measured, i) => {
    const refuse = (code: ProblemCode, message: string) =>
      new ApiError(code, `measurements/${i}: ${message}; nothing of this request was kept`)
    const instance = instanceOf(state, measured.instance)
    if (!instance)
      throw refuse(
        "unknown-instance",
        `${state.app} has no instance ${measured.instance} (IMMUNITY_INSTANCE)`,
      )
    if (!instance.release.startsWith(measured.release))
      throw refuse(
        "wrong-release",
        `${instance.id} runs ${shortCommit(instance.release)}, not ${measured.release.slice(0, 12)} (IMMUNITY_RELEASE)`,
      )
    const asked = pushedMetrics(state, instance)
    const metric = asked.find(({ name }) => name === measured.metric)
    if (!metric) {
      const names = asked.map(({ name }) => name).join(", ") || "none"
      throw refuse(
        "unknown-metric",
        `no metric ${measured.metric} has source: push here; those that have: ${names}`,
      )
    }
    const told = toldBy(measured, metric.kind)
    if (!told)
      throw refuse("wrong-shape", `${metric.name} is of kind ${metric.kind} and takes ${shapes[metric.kind]}`)
    const at = timeOf(measured)
    if (at !== undefined && (Number.isNaN(at) || at > now + mostAhead || at < now - mostBehind))
      throw refuse(
        "wrong-time",
        `the time ${JSON.stringify(measured.time)} is not one of the last 5 minutes; here it is ${new Date(now).toISOString()}`,
      )
    return { instance: instance.id, metric: metric.name, at, told }
  })
}

const instanceOf = (state: Application, id: string): Instance | undefined =>
  state.regions.flatMap(({ instances }) => Object.values(instances)).find((known) => known.id === id)

/** Its own rollout asks for them, or one under way, which it may be the control of. */
function pushedMetrics(state: Application, instance: Instance): readonly MetricPolicy[] {
  const rollouts = [instance.pool, ...state.regions.map(({ active }) => active)]
  const metrics = rollouts.flatMap((number) =>
    number === undefined ? [] : (state.rollouts[number]?.policy.metrics ?? []),
  )
  const pushed = metrics.filter(({ source }) => source.type === "push")
  return [...new Map(pushed.map((metric) => [metric.name, metric])).values()]
}

const shapes: Readonly<Record<MetricPolicy["kind"], string>> = {
  gauge: "value: the level now",
  events: "value: how many since this instance's last push, a whole number",
  "error-proportion": "total and bad: requests since this instance's last push, bad ≤ total",
  "latency-quantile": "latencies: a list of milliseconds",
  answers: "nothing: answers are asked for, not pushed",
}

function toldBy({ value, total, bad, latencies }: Measured, kind: MetricPolicy["kind"]): Told | undefined {
  const given = [value, total, bad, latencies].filter((one) => one !== undefined).length
  switch (kind) {
    case "gauge":
      return value !== undefined && given === 1 ? { kind: "gauge", value } : undefined
    case "events":
      return value !== undefined && given === 1 && Number.isInteger(value) && value >= 0
        ? { kind: "events", events: value }
        : undefined
    case "error-proportion":
      return total !== undefined && bad !== undefined && given === 2 && bad <= total
        ? { kind: "proportion", total, bad }
        : undefined
    case "latency-quantile":
      return latencies !== undefined && given === 1 ? { kind: "latencies", latencies } : undefined
    case "answers":
      return undefined
  }
}

/** Milliseconds since 1970, or a date; NaN when it is neither. */
const timeOf = ({ time }: Measured): Instant | undefined =>
  typeof time === "string" ? Date.parse(time) : time
