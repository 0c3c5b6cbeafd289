import type { Command } from "commander"
import type { AppView } from "../api/contract/views.ts"
import { exit } from "./client.ts"
import { consent } from "./consent.ts"
import { type Order, patience, until } from "./follow.ts"
import { line, print } from "./print.ts"
import { base, client } from "./target.ts"

/** Rehearses the worst day: a region gone, and nothing left but its images. */
export function addDrill(program: Command): void {
  base(program, "drill <app>", "rebuilds a region from images alone beside itself, tests and destroys it")
    .option("--region <name>", "which; the first one in production when none is named")
    .option("--reason <why>", "why; it stands in the journal", "ordered by a person")
    .option("--yes", "without asking")
    .option("--detach", "does not wait for how it ends")
    .option("--timeout <duration>", "how long it waits: 90s, 30m, 2h; what runs goes on", "1h")
    .action(drill)
}

async function drill(app: string, options: Order & { readonly region?: string }): Promise<void> {
  const limit = patience(options.timeout)
  const { region, reason } = options
  const look = () => client(options).get<AppView>(`/v1/apps/${app}`)
  await consent(options, `drill ${region ?? "a region"} of ${app}`, [
    "as many fresh instances as the region has start beside it, at an address that no user is sent to",
    "its tests run against them; then they are ended",
    "when a rollout starts or something fails, the drill gives way",
  ])
  const done = await client(options).post(`/v1/apps/${app}/drill`, { reason, ...(region ? { region } : {}) })
  if (options.detach) return print(options, done, () => line("accepted"))
  const begun = await look()
  const number = begun.drill?.number ?? begun.drills[0]?.number
  let view = begun
  await until(limit, `the drill of ${app}`, async () => {
    view = await look()
    return view.drill === undefined
  })
  const ended = view.drills.find((known) => known.number === number)
  if (!ended || view.drill) {
    process.exitCode = exit.running
    return
  }
  print(options, ended, () => line(ended.sentence))
  process.exitCode =
    ended.state === "passed" ? exit.ok : ended.state === "failed" ? exit.badEnd : exit.undecided
}
