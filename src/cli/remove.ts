import type { Command } from "commander"
import type { AppSummary, AppView } from "../api/contract/views.ts"
import { exit, Stop } from "./client.ts"
import { consent } from "./consent.ts"
import { type Order, patience, until } from "./follow.ts"
import { line, print } from "./print.ts"
import { base, type Common, client } from "./target.ts"

/** The end of an application: said beforehand, done by the usual way, and waited for. */
export function addRemove(apps: Command): void {
  base(apps, "remove <app>", "ends what it runs and closes its addresses; its history stays")
    .requiredOption("--reason <why>", "why; it stands in the journal")
    .option("--yes", "without asking")
    .option("--detach", "does not wait until all of it is gone")
    .option("--timeout <duration>", "how long it waits: 90s, 30m, 2h; the removal goes on", "1h")
    .action(remove)
}

async function remove(app: string, options: Order): Promise<void> {
  const limit = patience(options.timeout)
  const view = await look(app, options)
  if ("gone" in view) return print(options, { app, gone: true }, () => line(view.gone))
  const { removal, removed } = view
  // Ordered before, by whomever: all that is left is to wait for it.
  const done = removed ? {} : await order(app, removal, options)
  if (options.detach)
    return print(options, done, () => line(removed ? `${app} is being removed already` : "accepted"))
  let gone = false
  await until(limit, `the removal of ${app}`, async () => {
    const apps = await client(options).get<readonly AppSummary[]>(`/v1/apps?q=${app}`)
    gone = !apps.some((known) => known.app === app)
    return gone
  })
  print(options, { ...done, app, gone }, () => {
    if (gone) line(`${app} is removed, and nothing of it runs. Its history: ${historyOf(app, options)}`)
  })
  process.exitCode = gone ? exit.ok : exit.running
}

/** What is there of it, or the sentence of who removed it: that it is gone is what was asked for. */
function look(app: string, options: Order): Promise<AppView | { readonly gone: string }> {
  const asked = client(options).get<AppView>(`/v1/apps/${app}`)
  return asked.catch((error: unknown) => {
    if (error instanceof Stop && error.problem === "removed")
      return { gone: `nothing is left to do: ${error.message}.` }
    throw error
  })
}

async function order(app: string, removal: AppView["removal"], options: Order): Promise<object> {
  if (removal.refused !== undefined) throw new Stop(exit.refused, `${app} is not removed: ${removal.refused}`)
  await consent(options, `remove ${app}`, removal.consequences)
  return client(options).delete<object>(`/v1/apps/${app}`, { reason: options.reason })
}

const historyOf = (app: string, options: Common): string => `${client(options).url}/a/${app}/timeline`
