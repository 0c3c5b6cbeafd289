import type { CanaryMetric } from "./canary-config.ts"

/** A query in our words, and what had to be changed for it; or why there is none. */
export type Query =
  | { readonly query: string; readonly changes: readonly string[] }
  | { readonly problem: string }

const instance = `instance="\${instance}"`

/**
 * Kayenta's Prometheus queries as ours: its scope, which tells canary from baseline, becomes the instance. A query
 * that does not name the scope would ask the same of both.
 */
export function promqlOf({ query }: CanaryMetric, templates: Readonly<Record<string, string>>): Query {
  const inline = query.customInlineTemplate
  if (inline !== undefined && inline !== "") return fromTemplate(inline.replace(/^PromQL:/, ""))
  if (!query.metricName) return { problem: "its query has neither metricName nor customInlineTemplate" }
  const name = query.customFilterTemplate
  const filter = name === undefined ? (query.customFilter ?? "") : templates[name]
  if (filter === undefined) return { problem: `its template "${name}" is not in the file` }
  const labels = [...(query.labelBindings ?? []), ...(filter === "" ? [] : [filter])].join(",")
  const by = query.groupByFields?.length ? ` by (${query.groupByFields.join(", ")})` : ""
  if (/\$\{?scope\b/.test(labels)) return fromTemplate(`avg(${query.metricName}{${labels}})${by}`)
  const found = fromTemplate(
    `avg(${query.metricName}{${[instance, ...(labels ? [labels] : [])].join(",")}})${by}`,
  )
  return "problem" in found
    ? found
    : { ...found, changes: [`it had no scope of its own; ${instance} was added`, ...found.changes] }
}

function fromTemplate(template: string): Query {
  const changes: string[] = []
  // A scope between commas is a whole matcher, one in quotes a value.
  const query = template
    .replace(/([{,]\s*)\$\{scope\}/g, (_, before: string) => `${before}${instance}`)
    .replace(/\$\{scope\}|\$scope\b/g, () => `\${instance}`)
  if (query !== template) {
    const label = /([a-zA-Z_]\w*)\s*!?=~?\s*["'`][^"'`]*\$\{instance\}/.exec(query)?.[1] ?? "instance"
    changes.push(`\${scope} became \${instance}: the label ${label} must carry IMMUNITY_INSTANCE`)
  }
  if (!query.includes(`\${instance}`))
    return { problem: `it asks the same of canary and control: it names no \${scope}` }
  const foreign = [...query.matchAll(/\$\{(\w+)\}/g)]
    .map(([, name]) => name)
    .find((name) => name !== "instance")
  if (foreign !== undefined)
    return {
      problem: `\${${foreign}} has no meaning here: write its value into the query and import it again`,
    }
  return { query, changes }
}
