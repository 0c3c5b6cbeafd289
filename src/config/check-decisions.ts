import { checkTable, type DeadRow } from "../core/decision/check-table.ts"
import { inWords, type Situation } from "../core/decision/decide-action.ts"
import type { DecisionTable, MetricPolicy } from "../core/model/policy.ts"
import type { Yaml } from "./document.ts"
import { didYouMean } from "./problem.ts"
import type { File } from "./schema.ts"

/** Tells of rows that are wrong by themselves, that never decide anything, and of cases that no row decides. */
export function checkDecisions(yaml: Yaml, file: File, metrics: readonly MetricPolicy[]): void {
  if (!file.decisions) return
  const table: DecisionTable = { fallback: "hold", rules: file.decisions.rules as DecisionTable["rules"] }
  checkRows(yaml, table, metrics)
  const found = checkTable(table, metrics)
  for (const row of found?.dead ?? []) {
    const at = ["decisions", "rules", table.rules.indexOf(row.rule), "id"]
    if (row.hiddenBy.length === 0) yaml.problem("C306", at, neverMatches(row), "warning")
    else if (row.hiddenBy.every(({ then }) => then === row.rule.then))
      yaml.problem("C307", at, addsNothing(row), "warning")
    else yaml.problem("C301", at, hidden(row))
  }
  if (!file.decisions.default && found?.gaps !== 0) {
    const cases = found ? `${found.gaps} of ${found.cases} cases` : "some cases"
    const example = found?.gap ? `, the first: ${situationInWords(found.gap)}` : ""
    yaml.problem(
      "C302",
      ["decisions"],
      `no default action: ${cases} match no row and will "hold" and ask${example}. Say default: hold, or add a row`,
      "warning",
      true,
    )
  }
  if (!table.rules.some((rule) => rule.then === "advance")) {
    yaml.problem(
      "C303",
      ["decisions", "rules"],
      `no rule ever says "advance": every rollout of ${file.app} will stop and wait`,
      "warning",
      true,
    )
  }
}

function checkRows(yaml: Yaml, table: DecisionTable, metrics: readonly MetricPolicy[]): void {
  const names = metrics.map(({ name }) => name)
  const ids = new Set<string>()
  table.rules.forEach((rule, i) => {
    const at = ["decisions", "rules", i]
    if (ids.has(rule.id)) yaml.problem("C305", [...at, "id"], `rule ${rule.id} is there twice`)
    ids.add(rule.id)
    if (rule.when.count !== undefined && rule.when.any === undefined) {
      yaml.problem("C304", [...at, "when", "count"], "count belongs to any: say any: worse, count: 2")
    }
    for (const name of Object.keys(rule.when.metric ?? {})) {
      if (names.includes(name)) continue
      const message = `rule ${rule.id} asks for the metric "${name}", which is not measured.${didYouMean(name, names)}`
      yaml.problem("C202", [...at, "when", "metric", name], message, "error", true)
    }
  })
}

function hidden({ rule, hiddenBy }: DeadRow): string {
  const winners = hiddenBy.map(({ id, then }) => `${id} (${then})`).join(" and ")
  return (
    `rule ${rule.id} (${rule.then}) can never fire: whenever it matches, ${winners} matches too and is at least ` +
    "as cautious. Remove it, or narrow the other"
  )
}

const addsNothing = ({ rule, hiddenBy }: DeadRow): string =>
  `rule ${rule.id} adds nothing with these metrics: whenever it matches, ${hiddenBy.map(({ id }) => id).join(" or ")} says ${rule.then} already`

const neverMatches = ({ rule }: DeadRow): string =>
  `rule ${rule.id} can never fire: with the metrics of this file it cannot happen that ${inWords(rule.when)}`

function situationInWords(now: Situation): string {
  const metrics = now.metrics.map(({ name, kind }) => `${name} ${kind}`)
  const others = [
    now.monitoring === "broken" ? "monitoring broken" : "",
    now.control === "bad" ? "the control bad as well" : "",
    now.probes === "failing" ? "probes failing" : "",
    now.reversible ? "" : "not reversible",
  ].filter((part) => part !== "")
  return [...metrics, ...others].join(", ") || "no metric at all"
}
