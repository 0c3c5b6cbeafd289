import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { Command } from "commander"
import type { Added } from "../api/contract/commands.ts"
import type { AppSummary, AppView, InstanceView, RolloutView, TimelineEntry } from "../api/contract/views.ts"
import { addAnswers } from "./answers.ts"
import { exit, noAnswer, Stop } from "./client.ts"
import { addConfig } from "./config.ts"
import { addDrill } from "./drill.ts"
import { addExport } from "./export.ts"
import { addKillSwitch } from "./kill-switch.ts"
import { addOrders } from "./orders.ts"
import { line, print, printApp, printInstances, printRollout, printTimeline } from "./print.ts"
import { addRemove } from "./remove.ts"
import { addServers } from "./servers.ts"
import { appName, base, type Common, client, split } from "./target.ts"

/** Everything that looks at or steers a running server; a client of its API and nothing more. */
export function addClientCommands(program: Command): void {
  const app = program.command("app").description("applications")
  base(app, "add <url>", "adds the application of a git repository")
    .option("--name <name>", "its name; by default the repository's")
    .option("--branch <branch>", "the branch to follow", "main")
    .action(async (url: string, options: Common & { name?: string; branch: string }) => {
      const added = await client(options).post<Added>("/v1/apps", {
        url: existsSync(url) ? resolve(url) : url,
        branch: options.branch,
        app: options.name,
      })
      print(options, added, () => {
        line(`${added.app} is added; its newest commit is read now. See: immunity status ${added.app}`)
        if (added.warning) line(`! it gets nowhere yet: ${added.warning}`)
      })
    })
  addRemove(app)
  base(
    app,
    "policy <app> <file>",
    "pins gates, autonomy, decisions and locks that a commit cannot loosen",
  ).action(async (name: string, file: string, options: Common) => {
    const done = await client(options).put(`/v1/apps/${name}/policy`, { yaml: textOf(file) })
    print(options, done, () => line(`pinned; it holds from the next commit of ${name} on`))
  })
  base(program, "status [app]", "what happens, and whether somebody must act").action(status)
  base(program, "show <rollout>", "one rollout: papi#7").action(show)
  base(program, "why [rollout]", "the sentence, the numbers, the rule, the evidence").action(why)
  base(program, "timeline <rollout>", "what happened, oldest first").action(
    async (target: string, options: Common) => {
      const { timeline } = await rolloutOf(options, target)
      print(options, timeline, () => printTimeline(timeline))
    },
  )
  addServers(program)
  addKillSwitch(program)
  base(program, "watch [app]", "every change as it happens").action(watch)
  base(program, "logs <name>", "the log of an instance or a job")
    .option("-f, --follow", "as it is written")
    .action(logs)
  base(program, "drift [app]", "instances that somebody modified, with the difference")
    .option("--exit-code", `ends with ${exit.different} when there are any`)
    .action(drift)
  addConfig(program)
  addExport(program)
  addAnswers(program)
  addOrders(program)
  addDrill(program)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new Stop(
      exit.usage,
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

async function status(name: string | undefined, options: Common): Promise<void> {
  if (name !== undefined) {
    const app = await client(options).get<AppView>(`/v1/apps/${name}`)
    return print(options, app, () => printApp(app))
  }
  const apps = await client(options).get<AppSummary[]>("/v1/apps")
  print(options, apps, () => {
    for (const app of apps) line(`${app.app.padEnd(16)} ${app.sentence}  ${app.todo}`)
    if (apps.length === 0) line("no applications yet; add one with: immunity app add URL")
  })
}

async function show(target: string, options: Common): Promise<void> {
  const view = await rolloutOf(options, target)
  print(options, view, () => printRollout(view))
}

/** Without a number: the newest rollout that says something. Its end decides the exit code, so that CI can tell. */
async function why(target: string | undefined, options: Common): Promise<void> {
  const wanted = target?.includes("#") ? target : await newest(options, appName(target))
  const view = await rolloutOf(options, wanted)
  print(options, view, () => printRollout(view))
  const { phase } = view.summary
  if (["rolled-back", "failed", "rollback-failed", "aborting", "rolling-back"].includes(phase))
    process.exitCode = exit.badEnd
  else if (phase === "holding" || phase === "queued" || view.behind !== undefined)
    process.exitCode = exit.undecided
}

async function newest(options: Common, name: string): Promise<string> {
  const { rollouts, sentence, todo } = await client(options).get<AppView>(`/v1/apps/${name}`)
  const found = rollouts.find((rollout) => rollout.tone === "bad") ?? rollouts[0]
  if (!found) throw new Stop(exit.undecided, `${name} has no rollout yet. ${sentence} ${todo}`)
  return `${name}#${found.number}`
}

function rolloutOf(options: Common, target: string): Promise<RolloutView> {
  const { app, number } = split(target)
  return client(options).get<RolloutView>(`/v1/apps/${app}/rollouts/${number}`)
}

async function drift(name: string | undefined, options: Common & { exitCode?: boolean }): Promise<void> {
  const instances = await client(options).get<InstanceView[]>(`/v1/apps/${appName(name)}/servers`)
  const modified = instances.filter((instance) => instance.modified.length > 0)
  print(options, modified, () => {
    printInstances(modified)
    if (modified.length === 0) line("every instance is what its release says")
  })
  if (options.exitCode && modified.length > 0) process.exitCode = exit.different
}

async function watch(name: string | undefined, options: Common): Promise<void> {
  const query = name === undefined ? "" : `?app=${encodeURIComponent(name)}`
  const answer = await fetch(`${client(options).url}/v1/events${query}`).catch((error: unknown) => {
    throw noAnswer(client(options).url, error)
  })
  if (!answer.body) throw new Stop(exit.broken, `the server answered ${answer.status} and nothing else`)
  let rest = ""
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n\n")
    rest = parts.pop() ?? ""
    for (const part of parts) {
      const data = part.split("\n").find((row) => row.startsWith("data: "))
      if (!data) continue
      const entry = JSON.parse(data.slice(6)) as TimelineEntry & { app?: string }
      if (options.json) process.stdout.write(`${JSON.stringify(entry)}\n`)
      else if (entry.app)
        line(
          `${new Date(entry.at).toISOString()} ${entry.app}${entry.rollout ? `#${entry.rollout}` : ""} ${entry.title}`,
        )
    }
  }
}

async function logs(name: string, options: Common & { follow?: boolean }): Promise<void> {
  const kind = /-(build|test)-/.test(name) ? "job" : "instance"
  let from = 0
  for (;;) {
    const chunk = await client(options).get<{ text: string; next: number; ended: boolean }>(
      `/v1/logs?${kind}=${encodeURIComponent(name)}&from=${from}`,
    )
    process.stdout.write(chunk.text)
    const stuck = chunk.next === from
    from = chunk.next
    if (chunk.ended || (stuck && !options.follow)) return
    if (stuck) await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
