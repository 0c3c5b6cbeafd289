import { pathProblem } from "../core/answers/accepted.ts"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { File } from "./schema.ts"
import { durationOf } from "./units.ts"

const name = "answers"

/** The metric that `answers:` asks for; none without it. */
export function answersMetric(answers: File["answers"]): readonly MetricPolicy[] {
  if (!answers) return []
  return [
    {
      name,
      source: {
        type: "answers",
        ask: answers.ask ?? [],
        accept: answers.accept ?? [],
        every: durationOf(answers.every ?? "2s"),
      },
      kind: "answers",
      worse: "up",
      // Another content is a word among others; another shape convicts by itself.
      critical: false,
      tolerateRatio: 0,
      tolerateDelta: 0,
    },
  ]
}

/** What is wrong with `answers:`, and where below it. */
export function answersProblems({
  answers,
  judge,
  metrics,
  regions,
}: File): readonly { readonly path: readonly (string | number)[]; readonly message: string }[] {
  if (!answers) return []
  const problems: { readonly path: readonly (string | number)[]; readonly message: string }[] = []
  answers.accept?.forEach((path, i) => {
    const message = pathProblem(path)
    if (message) problems.push({ path: ["accept", i], message })
  })
  if (judge !== undefined && judge !== "sequential")
    problems.push({ path: [], message: "Kayenta's judge cannot weigh answers; leave out judge, or answers" })
  if (typeof metrics === "object" && metrics.list?.[name])
    problems.push({
      path: [],
      message: `a metric of the list is named "${name}" too; call it something else`,
    })
  if (!regions.some(({ mirror }) => mirror !== undefined))
    problems.push({
      path: [],
      message:
        "no region mirrors another, so answers would never be compared; give a sandbox mirror: <region>",
    })
  return problems
}
