import type { Header, Line, Obs, Role, StreamMetric } from "../../../src/main/judge-stream/contract.ts"
import type { Label } from "../set.ts"
import type { Fault, Flavour, Plan } from "./kinds.ts"
import { boundsFor, information, type Latencies, latenciesFor, shares } from "./latencies.ts"
import { Nature, type Path } from "./nature.ts"
import { type World, warmUp, worldFor } from "./world.ts"

const roles: readonly Role[] = ["control", "canary"]
/** Evidence that a sequential test with alpha 0.01 needs. */
const proof = Math.log(100)

const margins: Readonly<Record<string, StreamMetric["margin"]>> = {
  http_errors: { rel: 0.15, abs: 0.0005 },
  http_latency_ms: { rel: 0.05, abs: 0 },
  signups: { rel: 0.1, abs: 0 },
  jobs_done: { rel: 0.1, abs: 0 },
  restarts: { rel: 1, abs: 0.0002 },
  cpu_percent: { rel: 0.1, abs: 0 },
  memory_mb: { rel: 0.1, abs: 0 },
}

/** One rollout: what a judge sees of it, and what only the scorer knows. */
export function makeCase(name: string, kind: string, make: (nature: Nature) => Plan, seed: number) {
  const nature = new Nature(seed)
  const plan = make(nature)
  const world = worldFor(nature, plan)
  const { interval, ticks, duration, weight, instances } = world
  const { fault } = plan
  const has = (flavour: Flavour) => plan.flavours.has(flavour)
  const onset = interval * Math.floor(plan.onset / interval)
  const active = (i: number) => (i + 1) * interval > onset
  const slowed = fault?.of === "latency" ? fault : undefined
  const service = latenciesFor(nature, has("heavy-tail"))
  const bounds = boundsFor(nature, slowed !== undefined && slowed.shape !== "bimodal")
  const conversion = nature.logUniform(0.005, 0.04)
  const base = fault?.of === "errors" ? fault.from : nature.logUniform(0.0002, 0.006)

  const need = informationOf(fault, world, service, bounds, conversion)
  const time = nature.logUniform(...plan.pace) * (duration - onset)
  const wanted = need > 0 ? proof / need / time : nature.logUniform(0.5, 30)
  const perSecond = has("quiet")
    ? nature.logUniform(0.02, 0.3)
    : Math.min(300, (4000 * weight) / (1 - weight), Math.max(0.05, wanted))
  const jobs =
    fault?.of === "jobs_done"
      ? proof / gained(fault.left) / time / instances.canary
      : nature.logUniform(0.01, 3)

  const slight = (better: number, harmless: number) =>
    has("better") ? better : has("harmless") ? harmless : 1
  // Cohorts of unlike instances; what they differ by stays within the margins, so that a good case is good.
  const odd = (deviation: number, most: number) => {
    const ratio = nature.cohort(instances.canary, deviation) / nature.cohort(instances.control, deviation)
    return Math.min(most, Math.max(1 / most, ratio))
  }
  const own = {
    errors: odd(nature.uniform(0, 0.12), 1.08) * slight(0.3, 1.04),
    latency: odd(nature.uniform(0, 0.02), 1.015) * slight(0.8, 1.02),
    jobs: odd(0.03, 1.04) * slight(1.1, 0.97),
    signups: slight(1.15, 0.97),
    cpu: odd(0.03, 1.03) * slight(0.8, 1.03),
    memory: slight(0.9, 1.03),
  }
  const cold = { errors: nature.uniform(0, 0.015), slow: nature.uniform(0.3, 1.8) }
  const broken = { errors: nature.uniform(4, 15), slow: nature.uniform(0.3, 1) }
  const hiccups = {
    canary: hiccup(nature, world, has("hiccup"), "canary"),
    control: hiccup(nature, world, has("hiccup"), "control"),
  }
  const wander = {
    errors: {
      canary: nature.remembering(ticks, world.apart.errors, 0.7),
      control: nature.remembering(ticks, world.apart.errors, 0.7),
    },
    latency: {
      canary: nature.remembering(ticks, world.apart.latency, 0.7),
      control: nature.remembering(ticks, world.apart.latency, 0.7),
    },
  }
  const restarts = { canary: crashes(nature, world, fault), control: Array.from({ length: ticks }, () => 0) }
  const lost = lostTicks(nature, world, has("missing"))
  const cumulative = has("reset") || nature.happens(0.15)
  const resets = {
    canary: resetsOf(nature, ticks, has("reset")),
    control: resetsOf(nature, ticks, has("reset")),
  }

  const also = (metric: string) => fault?.of === metric || nature.happens(0.6)
  const temporality = cumulative ? ("cumulative" as const) : ("delta" as const)
  const metric = (
    id: string,
    of: StreamMetric["kind"],
    critical: boolean,
    more: Partial<StreamMetric> = {},
  ): StreamMetric => ({
    name: id,
    kind: of,
    direction: id === "signups" || id === "jobs_done" ? "decrease-is-bad" : "increase-is-bad",
    critical,
    margin: margins[id] ?? { rel: 0, abs: 0 },
    ...(of === "gauge" ? {} : { temporality }),
    ...more,
  })
  const metrics = [
    metric("http_errors", "proportion", true),
    metric("http_latency_ms", "latency-histogram", true, { le: [...bounds, "+Inf"] }),
    ...(also("signups") ? [metric("signups", "count", true)] : []),
    ...(also("jobs_done") ? [metric("jobs_done", "count", true)] : []),
    ...(also("restarts") ? [metric("restarts", "count", false)] : []),
    ...(also("cpu_percent") ? [metric("cpu_percent", "gauge", false)] : []),
    ...(also("memory_mb") ? [metric("memory_mb", "gauge", false)] : []),
  ]
  const told = new Set(metrics.map(({ name: id }) => id))
  const header: Header = {
    type: "header",
    case: name,
    weight,
    interval_s: interval,
    duration_s: duration,
    warmup_s: warmUp,
    metrics,
  }

  const gauges = levels(nature, world, own, fault, onset)
  const totals = new Map<string, Obs>()
  const lines: Line[] = [header]
  const evidence: number[] = []
  const harm: number[] = []
  const requests: number[] = []
  if (cumulative)
    for (const { name: id, kind: of } of metrics)
      for (const role of roles) {
        if (of === "gauge") continue
        const zero = {
          proportion: { errors: 0, total: 0 },
          count: { events: 0, exposure: 0 },
          "latency-histogram": { counts: [...bounds, 0].map(() => 0) },
        }[of]
        const first: Obs = { type: "obs", t: 0, metric: id, role, ...zero }
        totals.set(`${id} ${role}`, first)
        lines.push(first)
      }

  for (let i = 0; i < ticks; i++) {
    const t = (i + 1) * interval
    const season = Math.exp(0.1 * Math.sin(t / 700))
    let llr = 0
    let hurt = 0
    for (const role of roles) {
      const mine = role === "canary"
      const due = perSecond * interval * (world.load[i] ?? 1) * (mine ? 1 : (1 - weight) / weight)
      const n = nature.poisson(due)
      const emit = (id: string, more: Partial<Obs>) => {
        if (!told.has(id)) return
        const key = `${id} ${role}`
        const before = totals.get(key)
        const now: Obs = { type: "obs", t, metric: id, role, ...more }
        const shown = cumulative && before ? (resets[role].has(i) ? now : sum(before, now)) : now
        totals.set(key, shown)
        if (!lost[role].has(i)) lines.push(shown)
      }

      const common = base * (world.errors[i] ?? 1)
      const noisy = mine ? 0 : (world.noisy[i] ?? 0)
      const usual =
        common * Math.exp(wander.errors[role][i] ?? 0) * (mine ? own.errors : 1 + noisy * broken.errors) +
        (world.outage[i] ?? 0) +
        (mine ? cold.errors * (world.cold[i] ?? 0) : 0) +
        (hiccups[role][i] ?? 0)
      const down = mine ? Math.min(0.8, ((restarts.canary[i] ?? 0) * 12) / interval / instances.canary) : 0
      const more =
        mine && active(i) && fault?.of === "errors"
          ? (fault.to - fault.from) * (fault.from > 0 ? (world.errors[i] ?? 1) : 1)
          : 0
      const rate = Math.min(0.98, usual + more + down)
      const failed = nature.clustered(n * rate, world.clusters)
      const errors = Math.min(n, failed.events)
      emit("http_errors", { errors, total: n })
      if (mine) {
        requests.push(n)
        if (fault?.of === "errors" || fault?.of === "crashes") {
          const [p1, p0] = [Math.max(rate, 1e-5), Math.max(Math.min(0.98, usual), 1e-5)]
          llr = p1 === p0 ? 0 : failed.clusters * Math.log(p1 / p0) - (n * (p1 - p0)) / world.clusters
          hurt = n * (p1 - p0)
        }
      }

      // Each instance stops the world by itself, so a side of many is paused as much as a side of one.
      const stops = nature.poisson((world.pauses * interval * instances[role]) / 10)
      const paused = Math.min(0.9, (stops * nature.uniform(0.02, 0.3)) / instances[role])
      const pause = nature.uniform(50, 500)
      const scale =
        (world.slowness[i] ?? 1) *
        Math.exp(wander.latency[role][i] ?? 0) *
        (mine ? own.latency * (1 + cold.slow * (world.cold[i] ?? 0)) : 1 + noisy * broken.slow)
      const asUsual = shares(service, bounds, scale, paused, pause, undefined)
      const slow = mine && active(i) ? slowed : undefined
      const now = slow ? shares(service, bounds, scale, paused, pause, slow) : asUsual
      const counts = now.map((share) => nature.poisson(n * share))
      emit("http_latency_ms", { counts })
      if (slow) {
        llr = counts.reduce(
          (all, count, j) =>
            all + (count > 0 ? count * Math.log((now[j] ?? 1) / Math.max(asUsual[j] ?? 0, 1e-12)) : 0),
          0,
        )
        hurt = n * slow.part
      }

      const left = (id: "signups" | "jobs_done") => (mine && active(i) && fault?.of === id ? fault.left : 1)
      const lostOf = (id: "signups" | "jobs_done", events: number, mean: number) => {
        if (!mine || fault?.of !== id || !active(i)) return
        llr = events * Math.log(fault.left) - mean * (fault.left - 1)
        hurt = mean * (1 - fault.left)
      }
      const buyers = n * conversion * season * (mine ? own.signups : 1)
      const signups = nature.poisson(buyers * left("signups"))
      emit("signups", { events: signups, exposure: n })
      lostOf("signups", signups, buyers)
      const exposure = instances[role] * interval
      const work =
        jobs *
        exposure *
        (world.load[i] ?? 1) ** 0.3 *
        Math.exp(0.03 * nature.normal()) *
        (mine ? own.jobs : 1)
      const done = nature.poisson(work * left("jobs_done"))
      emit("jobs_done", { events: done, exposure })
      lostOf("jobs_done", done, work)
      emit("restarts", { events: restarts[role][i] ?? 0, exposure })
    }
    if (t % 30 === 0)
      for (const { metric: id, role, instance, values } of gauges) {
        if (!told.has(id) || lost[role].has(i)) continue
        const value = Math.round(100 * (values[t / 30 - 1] ?? 0)) / 100
        lines.push({
          type: "obs",
          t,
          metric: id,
          role,
          instance,
          value: nature.happens(has("missing") ? 0.1 : 0) ? "NaN" : value,
        })
      }
    const known = fault?.of === "cpu_percent" || fault?.of === "memory_mb"
    if (known && t % 30 === 0)
      llr = gauges.reduce((all, one) => all + (one.metric === fault.of ? (one.llr[t / 30 - 1] ?? 0) : 0), 0)
    evidence.push(active(i) ? llr : 0)
    harm.push(active(i) ? Math.max(0, hurt) : 0)
    lines.push({ type: "tick", t, ...(i === ticks - 1 ? { end: true } : {}) })
  }
  const regressed = fault ? regressedBy(fault) : null
  const label: Label = {
    case: name,
    class: kind,
    should_rollback: fault !== undefined,
    onset_t: fault ? onset : null,
    regressed,
    flavour: [...plan.flavours].sort(),
    duration_s: duration,
    interval_s: interval,
    weight,
    harm_unit: unitOf(fault),
    harm: fault ? harm : null,
    canary_requests: requests,
    oracle_llr: fault ? evidence : null,
    oracle_kind: metrics.find(({ name: id }) => id === regressed)?.kind ?? null,
  }
  return { label, lines }
}

const gained = (left: number): number => left * Math.log(left) - left + 1

/** Nats of one canary request about the fault; 0 where requests tell nothing of it. */
function informationOf(
  fault: Fault | undefined,
  world: World,
  of: Latencies,
  bounds: readonly number[],
  conversion: number,
): number {
  if (fault?.of === "errors") {
    const [from, to] = [Math.max(fault.from, 1e-5), fault.to]
    return (to * Math.log(to / from) - (to - from)) / world.clusters
  }
  if (fault?.of === "latency") return Math.max(2e-4, information(of, bounds, fault))
  return fault?.of === "signups" ? conversion * gained(fault.left) : 0
}

const regressedBy = (fault: Fault): string =>
  fault.of === "errors" || fault.of === "crashes"
    ? "http_errors"
    : fault.of === "latency"
      ? "http_latency_ms"
      : fault.of

function unitOf(fault: Fault | undefined): string {
  if (fault?.of === "errors" || fault?.of === "crashes") return "failed requests"
  if (fault?.of === "latency") return "slowed requests"
  return fault?.of === "signups" || fault?.of === "jobs_done" ? "lost events" : "none"
}

function sum(a: Obs, b: Obs): Obs {
  const add = (x: number | undefined, y: number | undefined) => (y === undefined ? undefined : (x ?? 0) + y)
  const fields = {
    errors: add(a.errors, b.errors),
    total: add(a.total, b.total),
    events: add(a.events, b.events),
    exposure: add(a.exposure, b.exposure),
  }
  const set = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  return {
    ...b,
    ...set,
    ...(b.counts ? { counts: b.counts.map((count, i) => count + (a.counts?.[i] ?? 0)) } : {}),
  }
}

/** Something upstream fails a part of one instance's requests for some seconds. */
function hiccup(
  nature: Nature,
  { ticks, duration, interval, instances }: World,
  has: boolean,
  role: Role,
): Path {
  const path = Array.from({ length: ticks }, () => 0)
  if (!has) return path
  const times =
    role === "canary" ? nature.whole(1, 2) : nature.poisson((1.5 * instances.control) / instances.canary)
  for (let k = 0; k < times; k++) {
    const from = nature.uniform(0, duration - 20)
    const to = from + nature.uniform(4, 20)
    const blow = nature.uniform(0.1, 0.5) / instances[role]
    for (let i = 0; i < ticks; i++) {
      const part = Math.max(0, Math.min((i + 1) * interval, to) - Math.max(i * interval, from)) / interval
      path[i] = (path[i] ?? 0) + part * blow
    }
  }
  return path
}

/** Restarts of the canary in each tick. */
function crashes(nature: Nature, { ticks, interval, instances }: World, fault: Fault | undefined): Path {
  const path = Array.from({ length: ticks }, () => 0)
  if (fault?.of !== "crashes") return path
  for (let k = 0; k < instances.canary; k++)
    for (
      let t = nature.uniform(0, fault.every);
      t < ticks * interval;
      t += fault.every * nature.uniform(0.9, 1.1)
    ) {
      const i = Math.floor(t / interval)
      path[i] = (path[i] ?? 0) + 1
    }
  return path
}

function lostTicks(
  nature: Nature,
  { ticks, interval }: World,
  missing: boolean,
): Readonly<Record<Role, ReadonlySet<number>>> {
  const one = () => {
    const rate = missing ? nature.uniform(0.05, 0.3) : nature.happens(0.2) ? 0.02 : 0
    const from = Math.floor(nature.uniform(0.1, 0.7) * ticks)
    const gap = missing && nature.happens(0.4) ? Math.ceil(nature.uniform(90, 300) / interval) : 0
    return new Set(
      Array.from({ length: ticks }, (_, i) => i).filter(
        (i) => nature.happens(rate) || (i >= from && i < from + gap),
      ),
    )
  }
  return { canary: one(), control: one() }
}

const resetsOf = (nature: Nature, ticks: number, has: boolean): ReadonlySet<number> =>
  new Set(has ? Array.from({ length: nature.whole(1, 3) }, () => nature.whole(2, ticks - 1)) : [])

type Gauge = {
  readonly metric: string
  readonly role: Role
  readonly instance: string
  readonly values: Path
  /** What each value tells of the fault for who knows the law of the level. */
  readonly llr: Path
}

/** Levels of some instances of either side, every 30 s. */
function levels(
  nature: Nature,
  world: World,
  own: { readonly cpu: number; readonly memory: number },
  fault: Fault | undefined,
  onset: number,
): readonly Gauge[] {
  const count = Math.floor(world.duration / 30)
  const [cpu, memory] = [nature.uniform(12, 45), nature.logUniform(150, 3000)]
  const noise = { deviation: nature.logUniform(0.02, 0.08), memory: nature.uniform(0.2, 0.9) }
  const young = { missing: nature.uniform(0.2, 0.45), seconds: nature.uniform(200, 500) }
  return roles.flatMap((role) =>
    Array.from({ length: Math.min(world.instances[role], role === "canary" ? 2 : 3) }, (_, k) => k).flatMap(
      (k) => {
        const mine = role === "canary"
        const gauge = (
          metric: "cpu_percent" | "memory_mb",
          deviation: number,
          rho: number,
          level: (t: number) => number,
          shift: (t: number) => number,
        ): Gauge => {
          const path = nature.remembering(count, deviation, rho)
          const odd = Math.exp(0.01 * nature.normal())
          const at = (j: number) => 30 * (j + 1)
          const moved = (j: number) => (j < 0 ? 0 : Math.log(shift(at(j))))
          const fresh = deviation ** 2 * (1 - rho ** 2)
          const llr = path.map((x, j) => {
            const now = j === 0 ? x : x - rho * (path[j - 1] ?? 0)
            const step = moved(j) - (j === 0 ? 0 : rho * moved(j - 1))
            return ((now + step) ** 2 - now ** 2) / (2 * fresh)
          })
          return {
            metric,
            role,
            instance: `${role}-${k}`,
            values: path.map((x, j) => level(at(j)) * odd * shift(at(j)) * Math.exp(x)),
            llr,
          }
        }
        const load = (t: number) => (world.load[Math.max(0, Math.ceil(t / world.interval) - 1)] ?? 1) ** 0.5
        const noisy = (t: number) =>
          !mine && k === 0 && (world.noisy[Math.max(0, Math.ceil(t / world.interval) - 1)] ?? 0) > 0 ? 1.5 : 1
        const worse = (of: "cpu_percent" | "memory_mb") => (t: number) => {
          if (!mine || t <= onset || fault?.of !== of) return 1
          return fault.of === "cpu_percent" ? fault.factor : 1 + (fault.perHour * (t - onset)) / 3600
        }
        const young1 = (t: number) => (mine ? 1 - young.missing * Math.exp(-t / young.seconds) : 1)
        return [
          gauge(
            "cpu_percent",
            noise.deviation,
            noise.memory,
            (t) => Math.min(95, cpu * load(t) * noisy(t) * (mine ? own.cpu : 1)),
            worse("cpu_percent"),
          ),
          gauge(
            "memory_mb",
            0.015,
            0.6,
            (t) => memory * young1(t) * (mine ? own.memory : 1),
            worse("memory_mb"),
          ),
        ]
      },
    ),
  )
}
