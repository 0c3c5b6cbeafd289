import type { Command } from "commander"
import type { AppView, RolloutView } from "../api/contract/views.ts"
import { exit, Stop } from "./client.ts"
import { consent } from "./consent.ts"
import { line, print } from "./print.ts"
import { appName, base, type Common, client, split } from "./target.ts"

type Order = Common & { readonly reason: string; readonly yes?: boolean }

/** What a release answers otherwise than the one before it, and which of that it means to. */
export function addAnswers(program: Command): void {
  const answers = program.command("answers").description("answers that a release changes")
  base(
    answers,
    "list <rollout>",
    "the paths that differ; of papi the newest rollout that compared any",
  ).action(async (target: string, options: Common) => {
    const view = await viewOf(options, target)
    const { answers: found } = view
    print(options, found, () => {
      for (const path of found?.paths ?? [])
        line(`${path.state.padEnd(9)} ${path.endpoint} ${path.path}  ${path.because}`)
      const people = new Set(found?.withdrawable)
      for (const path of found?.accepted ?? [])
        line(`accepted  ${path}${people.has(path) ? "" : "  by its commit"}`)
      if (!found)
        line(
          "its answers are not compared: that is done where a region mirrors another, with answers: in immunity.yaml",
        )
      else if (found.paths.length + found.accepted.length === 0)
        line("no path differs on the candidate alone")
    })
  })
  base(answers, "accept <rollout> <paths...>", "says that a release means to change these")
    .requiredOption("--reason <why>", "why; it stands in the journal")
    .option("--yes", "without asking")
    .action(async (target: string, paths: readonly string[], options: Order) => {
      const { app, summary } = await viewOf(options, target)
      await consent(options, `accept changed answers of ${summary.commit}`, [
        ...paths.map((path) => `${path}, and what is below it, may be different in ${summary.commit}`),
        `it holds for ${summary.commit} in every region, and for no other commit`,
      ])
      const done = await client(options).post(`/v1/apps/${app}/rollouts/${summary.number}/accept-answers`, {
        paths,
        reason: options.reason,
      })
      print(options, done, () => line("accepted"))
    })
  base(answers, "withdraw <rollout> <paths...>", "takes back what people accepted of a release")
    .requiredOption("--reason <why>", "why; it stands in the journal")
    .option("--yes", "without asking")
    .action(async (target: string, paths: readonly string[], options: Order) => {
      const { app, summary } = await viewOf(options, target)
      await consent(options, `take back accepted answers of ${summary.commit}`, [
        ...paths.map((path) => `${path} counts again as a difference of ${summary.commit}, in every region`),
        "what was measured before is judged anew: it may stop a rollout of this release",
      ])
      const address = `/v1/apps/${app}/rollouts/${summary.number}/withdraw-answers`
      const done = await client(options).post(address, { paths, reason: options.reason })
      print(options, done, () => line("taken back"))
    })
}

async function viewOf(options: Common, target: string): Promise<RolloutView> {
  const { app, number } = target.includes("#") ? split(target) : await newest(options, appName(target))
  return client(options).get<RolloutView>(`/v1/apps/${app}/rollouts/${number}`)
}

/** The newest one that shows a difference; without any, the newest that compares them. */
async function newest(options: Common, app: string): Promise<{ app: string; number: string }> {
  const { rollouts } = await client(options).get<AppView>(`/v1/apps/${app}`)
  if (!rollouts[0]) throw new Stop(exit.undecided, `${app} has no rollout yet`)
  let comparing: number | undefined
  for (const { number } of rollouts.slice(0, 10)) {
    const view = await client(options).get<RolloutView>(`/v1/apps/${app}/rollouts/${number}`)
    if (view.answers && view.answers.paths.length > 0) return { app, number: String(number) }
    if (view.answers) comparing ??= number
  }
  return { app, number: String(comparing ?? rollouts[0].number) }
}
