import type { Policy } from "../core/model/policy.ts"
import { answersProblems } from "./answers.ts"
import { checkDecisions } from "./check-decisions.ts"
import { Yaml } from "./document.ts"
import { failureProblems } from "./failures.ts"
import { freezeProblem } from "./freeze.ts"
import { judgeProblems, tooShortForKayenta } from "./judge.ts"
import { metricProblem, sourceProblem, sourcesOf } from "./metric-sources.ts"
import { migrationWarnings } from "./migrations.ts"
import { didYouMean, type Problem } from "./problem.ts"
import { resolvePolicy } from "./resolve.ts"
import { routerWarnings } from "./router.ts"
import { type File, FileSchema, type Pins, PinsSchema } from "./schema.ts"
import { surgeWarnings } from "./surge.ts"
import { durationOf } from "./units.ts"

export type Read =
  | { readonly policy: Policy; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] }

/**
 * immunity.yaml at one commit, with what the server pins on top, as the policy that the core follows. Anything
 * wrong is told with its place; nothing is guessed and nothing half-read.
 */
export function readPolicy(
  text: string,
  options: { readonly file: string; readonly pins?: string | undefined; readonly now: number },
): Read {
  const yaml = new Yaml(text, options.file)
  yaml.checkWith(FileSchema)
  const pins = new Yaml(options.pins ?? "{}", "the server's policy")
  pins.checkWith(PinsSchema)
  const broken = [...yaml.problems, ...pins.problems]
  if (broken.length > 0) return { problems: broken }
  const file = yaml.value as File
  const pinned = (pins.value ?? {}) as Pins
  references(yaml, file)
  pinnedRegions(pins, pinned, file)
  if (hasErrors(yaml) || hasErrors(pins)) return { problems: [...yaml.problems, ...pins.problems] }
  const policy = resolvePolicy(file, pinned, options.now)
  checkDecisions(yaml, file, policy.metrics)
  for (const { path, message } of answersProblems(file))
    yaml.problem("C202", ["answers", ...path], message, "error", true)
  ramps(yaml, file, policy)
  rehearsals(yaml, file, policy)
  for (const message of surgeWarnings(policy)) yaml.problem("C312", ["surge"], message, "warning", true)
  for (const { path, message } of migrationWarnings(policy))
    yaml.problem("C309", path, message, "warning", true)
  const names = policy.metrics.map(({ name }) => name)
  for (const { path, message } of judgeProblems(file.judge, names))
    yaml.problem("C202", ["judge", ...path], message, "error", true)
  for (const { path, message } of routerWarnings(file, policy.router))
    yaml.problem("C209", path, message, "warning", true)
  for (const message of tooShortForKayenta(policy)) yaml.problem("C308", ["judge"], message, "warning", true)
  const problems = [...yaml.problems, ...pins.problems]
  return hasErrors(yaml) ? { problems } : { policy, warnings: problems }
}

const hasErrors = (yaml: Yaml): boolean => yaml.problems.some(({ severity }) => severity === "error")

/** Whether a server's policy could be read at all; a sentence when not. */
export function pinsProblem(text: string): string | undefined {
  const pins = new Yaml(text, "policy")
  pins.checkWith(PinsSchema)
  const [first] = pins.problems
  return first && `line ${first.line}, column ${first.column}: ${first.message}`
}

function references(yaml: Yaml, file: File): void {
  const names = file.regions.map((region) => region.name)
  const tests = [...Object.keys(file.tests ?? {}), ...(file.test === undefined ? [] : ["test"])]
  const seen = new Map<string, number>()
  const listens = new Map<string, string>()
  file.regions.forEach((region, i) => {
    const at = ["regions", i]
    if (seen.has(region.name))
      yaml.problem("C201", [...at, "name"], `region "${region.name}" is defined twice; names are unique`)
    seen.set(region.name, i)
    const listen = String(region.listen).replace("127.0.0.1:", "")
    const other = listens.get(listen)
    if (other)
      yaml.problem(
        "C203",
        [...at, "listen"],
        `region "${other}" listens at ${listen} already; each region has an address of its own`,
      )
    listens.set(listen, region.name)
    const from = typeof region.mirror === "string" ? region.mirror : region.mirror?.from
    if (from !== undefined && !names.includes(from)) {
      const where = typeof region.mirror === "string" ? [...at, "mirror"] : [...at, "mirror", "from"]
      yaml.problem("C202", where, `mirror source "${from}" is not a region.${didYouMean(from, names)}`)
    }
    const to = region.compare?.to
    if (to !== undefined && !["previous", "peers", ...names].includes(to)) {
      yaml.problem(
        "C202",
        [...at, "compare", "to"],
        `"${to}" is neither previous, peers nor a region.${didYouMean(to, ["previous", "peers", ...names])}`,
      )
    }
    region.tests?.forEach((test, j) => {
      if (!tests.includes(test))
        yaml.problem("C202", [...at, "tests", j], `there is no test "${test}".${didYouMean(test, tests)}`)
    })
    weights(yaml, at, region)
    holding(yaml, at, region)
  })
  for (const name of Object.keys(file.autonomy?.regions ?? {})) {
    if (!names.includes(name))
      yaml.problem(
        "C202",
        ["autonomy", "regions", name],
        `there is no region "${name}".${didYouMean(name, names)}`,
        "error",
        true,
      )
  }
  metricReferences(yaml, file)
  file.freeze?.forEach((window, i) => {
    const wrong = freezeProblem(window.when, window.zone)
    if (wrong) yaml.problem("C105", ["freeze", i, wrong.includes("time zone") ? "zone" : "when"], wrong)
  })
  if (!file.regions.some((region) => region.gate !== undefined)) {
    yaml.problem(
      "C205",
      ["regions"],
      "no region has a gate: a commit can reach the last region with nobody asked",
      "warning",
      true,
    )
  }
}

function metricReferences(yaml: Yaml, file: File): void {
  if (typeof file.metrics !== "object") return
  for (const [name, source] of Object.entries(file.metrics.sources ?? {})) {
    const wrong = sourceProblem(source)
    if (wrong) yaml.problem("C102", ["metrics", "sources", name, wrong.key], wrong.message, "error", true)
  }
  const sources = sourcesOf(file.metrics.sources)
  for (const [name, metric] of Object.entries(file.metrics.list ?? {})) {
    if (metric.source === undefined || metric.source === "proxy") continue
    const source = sources[metric.source]
    if (!source) {
      yaml.problem(
        "C202",
        ["metrics", "list", name, "source"],
        `there is no metrics source "${metric.source}".${didYouMean(metric.source, ["proxy", ...Object.keys(sources)])}`,
      )
      continue
    }
    const wrong = metricProblem(name, metric, source)
    if (wrong) yaml.problem("C102", ["metrics", "list", name], wrong, "error", true)
  }
}

function weights(
  yaml: Yaml,
  at: readonly (string | number)[],
  { canary, strategy, ramp }: File["regions"][number],
): void {
  if (ramp !== undefined && (canary || (strategy !== undefined && strategy !== "canary"))) {
    const other = canary ? "the weights of canary" : `the strategy ${String(strategy)}`
    yaml.problem(
      "C207",
      [...at, "ramp"],
      `a ramp chooses its own weights; keep it or ${other}`,
      "error",
      true,
    )
  }
  if (strategy === "canary" && !canary && !ramp) {
    yaml.problem(
      "C102",
      [...at, "strategy"],
      "the strategy canary needs its weights: canary: [1%, 5%, 25%, 100%], or ramp: adaptive",
    )
  }
  if (!canary) return
  const numbers = canary.map((share) => Number.parseFloat(share))
  const rising = numbers.every((number, i) => i === 0 || number > (numbers[i - 1] ?? 0))
  if (!rising || numbers.at(-1) !== 100 || (numbers[0] ?? 0) <= 0) {
    yaml.problem("C204", [...at, "canary"], "the weights must rise and end at 100%")
  }
}

function rehearsals(yaml: Yaml, file: File, policy: Policy): void {
  for (const { severity, code, path, message } of failureProblems(file, policy))
    yaml.problem(code, path, message, severity)
}

/** The order to the router is answered after the wait, and orders have a limit of their own. */
const longestHold = 3_000

function holding(
  yaml: Yaml,
  at: readonly (string | number)[],
  { holdRequests }: File["regions"][number],
): void {
  if (holdRequests !== undefined && durationOf(holdRequests) > longestHold)
    yaml.problem("C208", [...at, "holdRequests"], "users wait at most 3s for a swap; give 3s or less")
}

/** A ramp climbs by what our judge excludes of failures; without both it would wait for ever. */
function ramps(yaml: Yaml, file: File, { metrics, judge }: Policy): void {
  const measured = metrics.some(({ kind, worse }) => kind === "error-proportion" && worse === "up")
  if (measured && !judge) return
  const needs = judge
    ? "the sequential judge, and judge: kayenta is chosen"
    : "a metric of kind error-proportion (worse: up), and there is none: metrics: http has one"
  file.regions.forEach(({ ramp }, i) => {
    if (ramp !== undefined)
      yaml.problem("C207", ["regions", i, "ramp"], `a ramp needs ${needs}`, "error", true)
  })
}

function pinnedRegions(pins: Yaml, pinned: Pins, file: File): void {
  const names = file.regions.map((region) => region.name)
  for (const name of Object.keys(pinned.regions ?? {})) {
    if (!names.includes(name)) {
      pins.problem(
        "C206",
        ["regions", name],
        `the server pins region "${name}" and this commit has none of that name: it would escape what guards it`,
        "error",
        true,
      )
    }
  }
}
