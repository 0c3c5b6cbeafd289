import { defaultTable } from "../core/decision/default-table.ts"
import type {
  Autonomy,
  AutonomyPolicy,
  ComparePolicy,
  DecisionTable,
  MetricPolicy,
  Policy,
  RegionPolicy,
  StickyPolicy,
} from "../core/model/policy.ts"
import { ladder } from "../core/rollout/ramp.ts"
import { answersMetric } from "./answers.ts"
import { httpMetrics } from "./defaults.ts"
import { drillOf, failuresOf } from "./failures.ts"
import { freezeWeekly } from "./freeze.ts"
import { judgePolicy } from "./judge.ts"
import { kindOf, sourcePolicy, sourcesOf } from "./metric-sources.ts"
import type { File, MetricFile, Pins, RegionFile, SourceFile } from "./schema.ts"
import { surgePolicy } from "./surge.ts"
import { amountOf, bytesOf, durationOf, perMinuteOf, shareOf } from "./units.ts"

/** Fills in every default; what the server pins wins over what the commit says. */
export function resolvePolicy(file: File, pins: Pins, now: number): Policy {
  const tests = testsOf(file)
  const regions = regionsOf(
    file,
    pins,
    tests.map((test) => test.name),
  )
  const { run } = file
  return {
    app: file.app,
    router: pins.router ?? file.router ?? "embedded",
    build: {
      command: file.build?.command,
      output: file.build?.output ?? ".",
      network: pins.build?.network ?? file.build?.network ?? "none",
      timeout: duration(file.build?.timeout, "10m"),
    },
    run: {
      start: file.start,
      health: {
        path: run?.health?.path ?? "/healthz",
        every: duration(run?.health?.every, "1s"),
        timeout: duration(run?.health?.timeout, "2s"),
        healthy: run?.health?.healthy ?? 2,
        unhealthy: run?.health?.unhealthy ?? 3,
      },
      drain: duration(run?.drain, "20s"),
      memory: run?.memory === undefined ? undefined : bytesOf(run.memory),
      ...(run?.cpus === undefined ? {} : { cpus: run.cpus }),
      env: run?.env ?? {},
      keep: run?.keep ?? 1,
    },
    tests,
    regions,
    metrics: [...metricsOf(file), ...answersMetric(file.answers)],
    judge: judgePolicy(file.judge),
    decisions: decisionsOf(pins.decisions ?? file.decisions),
    autonomy: autonomyOf(pins.autonomy ? { ...file.autonomy, ...pins.autonomy } : file.autonomy),
    rollback: {
      irreversible: pins.rollback?.irreversible ?? file.rollback?.irreversible ?? [],
      scope: pins.rollback?.scope ?? file.rollback?.scope ?? "production",
    },
    ...migrationsOf(pins.migrations ?? file.migrations),
    lock: {
      on: pins.lock?.on ?? file.lock?.on ?? ["halt", "rollback"],
      scope: pins.lock?.scope ?? file.lock?.scope ?? "app",
      preventiveAction: pins.lock?.preventiveAction ?? file.lock?.preventiveAction ?? false,
    },
    ...driftOf(pins.drift ?? file.drift),
    ...surgePolicy(pins.surge ?? file.surge),
    ...failuresOf(file),
    ...drillOf(file),
    freeze: [...(file.freeze ?? []), ...(pins.freeze ?? [])].map((window) => ({
      ...window,
      spans: [],
      weekly: freezeWeekly(window.when, window.zone, now),
    })),
    notify: (file.notify ?? []).map(({ webhook, on }) => ({
      webhook,
      on: (on ?? ["gate", "halt", "rollback", "lock", "hold", "removal"]) as Policy["notify"][number]["on"],
    })),
  }
}

const migrationsOf = (migrations: File["migrations"]): Pick<Policy, "migrations"> =>
  migrations === undefined
    ? {}
    : {
        migrations: {
          paths: migrations.paths,
          contract: migrations.contract ?? [],
          ...(migrations.window === undefined ? {} : { window: durationOf(migrations.window) }),
          shared: migrations.shared ?? [],
        },
      }

/** Absent where it says what is so anyway. */
const driftOf = (drift: "replace" | "report" | undefined): Pick<Policy, "drift"> =>
  drift === "report" ? { drift } : {}

const duration = (text: string | undefined, otherwise: string): number => durationOf(text ?? otherwise)

function testsOf(file: File): Policy["tests"] {
  const named = Object.entries(file.tests ?? {}).map(([name, test]) => ({
    name,
    command: test.run,
    timeout: duration(test.timeout, "5m"),
  }))
  return file.test === undefined
    ? named
    : [{ name: "test", command: file.test, timeout: durationOf("5m") }, ...named]
}

function regionsOf(file: File, pins: Pins, tests: readonly string[]): readonly RegionPolicy[] {
  const wanted = file.regions.map((region): RegionFile => pinned(region, pins.regions?.[region.name]))
  const firstGate = wanted.findIndex((region) => region.gate !== undefined)
  const isProduction = (region: RegionFile, index: number) =>
    region.traffic === undefined ? firstGate >= 0 && index >= firstGate : region.traffic === "production"
  const firstProduction = wanted.findIndex(isProduction)
  return wanted.map((region, i) => regionOf(region, isProduction(region, i), i === firstProduction, tests))
}

/** Weights that the server pins are climbed as they are: a commit's ramp does not replace them. */
function pinned(region: RegionFile, pins: Partial<RegionFile> | undefined): RegionFile {
  const both = { ...region, ...pins, name: region.name }
  if (pins?.canary === undefined || pins.ramp !== undefined) return both
  const { ramp: _replaced, ...rest } = both
  return rest
}

/** A GET that ends something: asked for twice it might do so for somebody. */
const neverCopied = ["*/logout*", "*/log-out*", "*/signout*", "*/sign-out*", "*/unsubscribe*"]

function regionOf(
  region: RegionFile,
  production: boolean,
  firstProduction: boolean,
  tests: readonly string[],
): RegionPolicy {
  const mirror = typeof region.mirror === "string" ? { from: region.mirror } : region.mirror
  const gate = region.gate === "button" ? {} : region.gate
  const control = mirror?.from ?? (firstProduction ? "previous" : "peers")
  const compared =
    region.compare !== undefined || mirror !== undefined || production || region.ramp !== undefined
  const servers = region.servers ?? ["local"]
  const chosen = region.ramp || region.canary ? "canary" : production ? "one-at-a-time" : "blue-green"
  const strategy = (region.strategy ?? chosen) as RegionPolicy["strategy"]
  const ramp = strategy === "canary" ? rampOf(region.ramp) : undefined
  return {
    name: region.name,
    servers,
    size: region.size ?? servers.length,
    listen: typeof region.listen === "number" ? `127.0.0.1:${region.listen}` : region.listen,
    production,
    tests: region.tests ?? tests,
    strategy,
    weights: ramp ? ladder : (region.canary ?? []).map(shareOf),
    ...(ramp ? { ramp } : {}),
    pause: duration(region.pause, "0s"),
    gate: gate && { expires: duration(gate.expires, "24h"), notAuthor: gate.notAuthor ?? false },
    mirror: mirror && {
      from: mirror.from,
      sample: "sample" in mirror && mirror.sample ? shareOf(mirror.sample) : 1,
      timeout: duration("timeout" in mirror ? mirror.timeout : undefined, "2s"),
      deny: [...neverCopied, ...(("deny" in mirror ? mirror.deny : undefined) ?? [])],
      headers: ("headers" in mirror ? mirror.headers : undefined) ?? [],
    },
    compare: compared ? compareOf(region.compare, control) : undefined,
    bake: duration(region.bake, production ? "5m" : "0s"),
    deadline: duration(region.deadline, "5m"),
    sticky: stickyOf(region.sticky),
    ...usersOf(region.sticky),
    ...(region.failures === false ? { failures: false } : {}),
    ...(region.holdRequests === undefined ? {} : { holdRequests: durationOf(region.holdRequests) }),
  }
}

const rampOf = (ramp: RegionFile["ramp"]): RegionPolicy["ramp"] =>
  ramp === undefined ? undefined : { harm: perMinuteOf(ramp === "adaptive" ? "5/min" : ramp.harm) }

const compareOf = (compare: RegionFile["compare"], control: string): ComparePolicy => ({
  to: compare?.to ?? control,
  for: duration(compare?.for, "5m"),
  warmup: duration(compare?.warmup, "10s"),
  minSamples: compare?.minSamples ?? 100,
  extensions: compare?.extensions ?? 3,
  blindLimit: duration(compare?.blindLimit, "10m"),
})

function stickyOf(sticky: RegionFile["sticky"]): StickyPolicy {
  if (sticky === undefined || sticky === "none") return { by: "none" }
  if (sticky === "address" || "by" in sticky) return { by: "address" }
  return "cookie" in sticky ? { by: "cookie", name: sticky.cookie } : { by: "header", name: sticky.header }
}

/** Absent where the file does not say. */
function usersOf(sticky: RegionFile["sticky"]): Pick<RegionPolicy, "first" | "selection"> {
  if (sticky === undefined || typeof sticky === "string") return {}
  const { first, selection } = sticky
  return { ...(first ? { first } : {}), ...(selection ? { selection } : {}) }
}

function metricsOf(file: File): readonly MetricPolicy[] {
  const { metrics } = file
  if (metrics === "http") return httpMetrics
  if (metrics === undefined || metrics === "none") return []
  const own = Object.entries(metrics.list ?? {}).map(([name, metric]) =>
    metricOf(name, metric, sourcesOf(metrics.sources)),
  )
  const names = new Set(own.map((metric) => metric.name))
  return metrics.http === false ? own : [...httpMetrics.filter((metric) => !names.has(metric.name)), ...own]
}

function metricOf(
  name: string,
  metric: MetricFile,
  sources: Readonly<Record<string, SourceFile>>,
): MetricPolicy {
  const known = httpMetrics.find((preset) => preset.name === name)
  const amounts = (
    Array.isArray(metric.tolerate) ? metric.tolerate : metric.tolerate ? [metric.tolerate] : []
  ).map(amountOf)
  const outside = sources[metric.source ?? ""]
  const given = metric.tolerate !== undefined
  return {
    name,
    source: outside ? sourcePolicy(outside, metric) : (known?.source ?? { type: "router" }),
    kind: outside
      ? kindOf(metric)
      : ((metric.kind ?? known?.kind ?? "error-proportion") as MetricPolicy["kind"]),
    worse: metric.worse ?? known?.worse ?? "up",
    critical: metric.critical ?? known?.critical ?? false,
    tolerateRatio: given ? (amounts.find((a) => a.relative)?.value ?? 0) : (known?.tolerateRatio ?? 0.2),
    tolerateDelta: given ? (amounts.find((a) => !a.relative)?.value ?? 0) : (known?.tolerateDelta ?? 0),
    quantile: metric.q ?? known?.quantile,
    max: targetOf(metric.max),
    min: targetOf(metric.min),
  }
}

/** A bare number is in the metric's own unit: a queue of 100, 3 events a minute. */
const targetOf = (target: string | number | undefined): number | undefined =>
  typeof target === "string" ? amountOf(target).value : target

function decisionsOf(decisions: File["decisions"]): DecisionTable {
  if (!decisions) return defaultTable
  return {
    fallback: (decisions.default ?? "hold") as DecisionTable["fallback"],
    rules: decisions.rules as DecisionTable["rules"],
  }
}

function autonomyOf(autonomy: File["autonomy"]): AutonomyPolicy {
  const otherwise = (autonomy?.default ?? "auto") as Autonomy
  return {
    advance: (autonomy?.advance ?? otherwise) as Autonomy,
    halt: (autonomy?.halt ?? otherwise) as Autonomy,
    rollback: (autonomy?.rollback ?? otherwise) as Autonomy,
    regions: (autonomy?.regions ?? {}) as AutonomyPolicy["regions"],
  }
}
