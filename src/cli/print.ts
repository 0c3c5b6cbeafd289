import type { AppView, InstanceView, RolloutView, TimelineEntry, VerdictView } from "../api/contract/views.ts"

/** What a terminal could take for an order of its own is not printed. */
export const safe = (text: string): string =>
  text.replaceAll(/(?!\n)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, "?")

export const line = (text = ""): void => {
  process.stdout.write(`${safe(text)}\n`)
}

/** One JSON object for programs, or what people read. */
export function print(options: { readonly json?: boolean }, value: unknown, forPeople: () => void): void {
  if (options.json) process.stdout.write(`${JSON.stringify(value)}\n`)
  else forPeople()
}

/** In the time of who reads it all the same: UTC, as everything else. */
const untilWhen = (at: number | undefined): string =>
  at === undefined ? "" : `, until ${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

export const clock = (at: number): string => new Date(at).toISOString().slice(11, 19)

export function printApp(app: AppView): void {
  line(`${app.app}  ${app.sentence}`)
  line(`  ${app.todo}`)
  line()
  for (const region of app.regions) {
    const first = region.active && region.active.weight > 0 ? `${region.active.commit} (first)` : "nothing"
    const serving = region.serving ? `${region.serving.commit} ${region.ready}/${region.size}` : first
    line(`  ${region.name.padEnd(12)} ${serving.padEnd(16)} ${region.active ? region.active.sentence : ""}`)
  }
  for (const { name, strength } of app.regions)
    if (strength)
      line(`  ${strength.attention ? "!" : "-"} ${strength.attention ?? `${name}: ${strength.sentence}`}`)
  if (app.cost) line(`  cost: ${app.cost}`)
  for (const { drill } of app.regions)
    if (drill) line(`  ${drill.state === "failed" ? "!" : "-"} drill ${drill.number}: ${drill.sentence}`)
  if (app.drill) line(`  ~ drill ${app.drill.number}: ${app.drill.sentence}`)
  for (const lock of app.locks) line(`  lock ${lock.id} (${lock.scope}) by ${lock.by}: ${lock.because}`)
  for (const problem of app.problems) line(`  ! ${problem.part}: ${problem.problem}`)
}

export function printRollout(view: RolloutView): void {
  const { summary } = view
  line(`${view.app}#${summary.number}  ${summary.commit}  ${summary.phase} at ${summary.region}`)
  line(`  ${summary.sentence}`)
  if (view.behind) line(`  ${view.behind}`)
  line()
  const { look } = view
  if (look) {
    line(
      `  rule     ${look.decision.rule} -> ${look.decision.action} (${look.decision.autonomy}): ${look.decision.because}`,
    )
    for (const verdict of look.verdicts) line(`  ${verdictLine(verdict)}`)
    line(`  proof    evidence ${look.evidence}`)
  }
  const { migration } = view
  if (migration) {
    line(`  shares   ${migration.kind}: ${migration.paths.join(", ")}; ${migration.window}`)
    for (const promise of migration.shared) line(`  shares   ${promise}`)
    if (migration.noWayBack) line(`  no back  ${migration.noWayBack}`)
  }
  for (const { job, name, passed, because } of view.tests)
    line(
      `  test     ${because ?? `${name} ${passed === undefined ? "runs" : "passed"}`}; its output: immunity logs ${job}`,
    )
  if (view.bound) line(`  ramp     ${view.bound}`)
  for (const sentence of view.foresight) line(`  sees     ${sentence}`)
  for (const sentence of view.rehearsals) line(`  proved   ${sentence}`)
  const { minutes, extra, says } = view.cost
  if (minutes > 0 || extra > 0)
    line(`  cost     ${minutes} instance minutes beside what serves; such instances now: ${extra}`)
  for (const sentence of says) line(`  size     ${sentence}`)
  if (view.harm.bad > 0)
    line(
      `  hurt     ${view.harm.bad} of ${view.harm.requests} requests, ${Math.round(view.harm.milliseconds / 1000)} s`,
    )
  if (view.back)
    line(`  back     all users were on ${view.back.to} ${view.back.milliseconds / 1000} s after the decision`)
  if (summary.wait)
    line(`  waits    for ${summary.wait.for}${untilWhen(summary.wait.until)}; then ${summary.wait.then}`)
  if (view.actions.length > 0)
    line(
      `  next     ${view.actions.map((action) => `immunity ${action} ${view.app}#${summary.number}`).join("   |   ")}`,
    )
}

function verdictLine(verdict: VerdictView): string {
  return `${verdict.kind.toUpperCase().padEnd(8)} ${verdict.metric}${verdict.critical ? " (critical)" : ""}: ${verdict.because}`
}

export function printTimeline(entries: readonly TimelineEntry[]): void {
  const days = new Set(entries.map(({ at }) => new Date(at).toDateString())).size
  const when = (at: number) =>
    days > 1 ? new Date(at).toISOString().slice(0, 19).replace("T", " ") : clock(at)
  for (const entry of entries) line(`${when(entry.at)}  ${entry.title}  (${entry.by}: ${entry.because})`)
}

export function printInstances(instances: readonly InstanceView[]): void {
  for (const instance of instances) {
    const notes = [
      instance.refusing &&
        "the router asks nothing of it: it refuses connections or fails the router's checks",
      instance.kept && "kept for a swap back",
      instance.leaving && `leaving: ${instance.leaving}`,
      ...instance.modified.map((path) => `modified: ${path}`),
    ]
    line(
      `${instance.id.padEnd(28)} ${instance.commit} ${instance.state.padEnd(9)} ${String(instance.weight).padStart(5)} %  ${instance.address ?? ""}  ${notes.filter(Boolean).join("; ")}`,
    )
  }
}
