import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Command } from "commander"
import { parse } from "yaml"
import type { AppSummary, AppView, InstanceView, RolloutView, TimelineEntry } from "../api/contract/views.ts"
import { Client, exit, Stop, serverUrl } from "./client.ts"
import { clock, line, printApp, printInstances, printRollout, printTimeline } from "./print.ts"

type Common = { readonly server?: string; readonly json?: boolean }

const client = (options: Common): Client => new Client(serverUrl(options.server))

const base = (program: Command, name: string, says: string): Command =>
  program
    .command(name)
    .description(says)
    .option("--server <url>", "the control plane's address")
    .option("--json", "one JSON object")

/** Everything that looks at or steers a running server; a client of its API and nothing more. */
export function addClientCommands(program: Command): void {
  const app = program.command("app").description("applications")
  base(app, "add <url>", "adds the application of a git repository")
    .option("--name <name>", "its name; by default the repository's")
    .option("--branch <branch>", "the branch to follow", "main")
    .action(async (url: string, options: Common & { name?: string; branch: string }) => {
      const added = await client(options).post<{ app: string }>("/v1/apps", {
        url,
        branch: options.branch,
        app: options.name,
      })
      print(options, added, () =>
        line(`${added.app} is added; its newest commit is read now. See: immunity status ${added.app}`),
      )
    })
  base(
    app,
    "policy <app> <file>",
    "pins gates, autonomy, decisions and locks that a commit cannot loosen",
  ).action(async (name: string, file: string, options: Common) => {
    const done = await client(options).put(`/v1/apps/${name}/policy`, { yaml: readFileSync(file, "utf8") })
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
  base(program, "servers [app]", "the instances").action(
    async (name: string | undefined, options: Common) => {
      const instances = await client(options).get<InstanceView[]>(`/v1/apps/${appName(name)}/servers`)
      print(options, instances, () => printInstances(instances))
    },
  )
  base(program, "watch [app]", "every change as it happens").action(watch)
  base(program, "logs <name>", "the log of an instance or a job")
    .option("-f, --follow", "as it is written")
    .action(logs)
  base(program, "deploy <app> [commit]", "chooses a commit")
    .option("--reason <why>", "why")
    .action((name: string, commit: string | undefined, options: Common & { reason?: string }) =>
      order(options, `/v1/apps/${name}/deploy`, { commit, reason: options.reason }),
    )
  for (const [verb, says] of [
    ["approve", "lets it go on, exactly as it was seen"],
    ["reject", "refuses it"],
    ["halt", "stops it; its users go back to the old release"],
    ["rollback", "takes it back, locks and blocks it"],
    ["retry", "tries it again as a new attempt"],
  ] as const) {
    base(program, `${verb} <rollout>`, says)
      .requiredOption("--reason <why>", "why; it stands in the journal")
      .option("--yes", "without asking")
      .action(async (target: string, options: Common & { reason: string }) => {
        const { app: name, number } = split(target)
        await order(options, `/v1/apps/${name}/rollouts/${number}/${verb}`, { reason: options.reason })
      })
  }
  for (const verb of ["pause", "resume"] as const) {
    base(program, `${verb} <target>`, `${verb}s an application, or with papi#7 one rollout`)
      .requiredOption("--reason <why>", "why")
      .action(async (target: string, options: Common & { reason: string }) => {
        if (!target.includes("#"))
          return order(options, `/v1/apps/${target}/${verb}`, { reason: options.reason })
        if (verb === "pause")
          throw new Stop(exit.usage, "a single rollout is halted, not paused: immunity halt")
        const { app: name, number } = split(target)
        return order(options, `/v1/apps/${name}/rollouts/${number}/resume`, { reason: options.reason })
      })
  }
  const lock = program.command("lock").description("what keeps anything new from starting")
  base(lock, "list [app]", "the locks").action(async (name: string | undefined, options: Common) => {
    const { locks } = await client(options).get<AppView>(`/v1/apps/${appName(name)}`)
    print(options, locks, () => {
      for (const held of locks)
        line(`${held.id}  ${held.scope}  ${clock(held.at)}  ${held.by}: ${held.because}`)
      if (locks.length === 0) line("nothing is locked")
    })
  })
  base(lock, "add <app>", "locks an application or one region")
    .requiredOption("--reason <why>", "why")
    .option("--region <region>", "only this region")
    .action((name: string, options: Common & { reason: string; region?: string }) =>
      order(options, `/v1/apps/${name}/locks`, { reason: options.reason, region: options.region }),
    )
  base(lock, "release <app> [id]", "releases a lock; the newest when none is named")
    .requiredOption("--reason <why>", "what was found")
    .option("--preventive <what>", "what will prevent it next time")
    .action(
      async (
        name: string,
        id: string | undefined,
        options: Common & { reason: string; preventive?: string },
      ) => {
        const found = id ?? (await client(options).get<AppView>(`/v1/apps/${name}`)).locks.at(-1)?.id
        if (found === undefined) throw new Stop(exit.usage, `${name} is not locked`)
        await order(options, `/v1/apps/${name}/locks/${found}/release`, {
          reason: options.reason,
          preventive: options.preventive,
        })
      },
    )
}

async function order(options: Common, path: string, body: unknown): Promise<void> {
  const done = await client(options).post(path, body)
  print(options, done, () => line("accepted"))
}

function print(options: Common, value: unknown, forPeople: () => void): void {
  if (options.json) process.stdout.write(`${JSON.stringify(value)}\n`)
  else forPeople()
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
  if (phase === "holding" || phase === "queued") process.exitCode = exit.undecided
}

async function newest(options: Common, name: string): Promise<string> {
  const { rollouts } = await client(options).get<AppView>(`/v1/apps/${name}`)
  const found = rollouts.find((rollout) => rollout.tone === "bad") ?? rollouts[0]
  if (!found) throw new Stop(exit.undecided, `${name} has no rollout yet`)
  return `${name}#${found.number}`
}

function rolloutOf(options: Common, target: string): Promise<RolloutView> {
  const { app, number } = split(target)
  return client(options).get<RolloutView>(`/v1/apps/${app}/rollouts/${number}`)
}

function split(target: string): { readonly app: string; readonly number: string } {
  const found = /^(?:([a-z][a-z0-9-]*))?#(\d+)$/.exec(target)
  if (!found?.[2]) throw new Stop(exit.usage, `"${target}" does not name a rollout; write it as papi#7`)
  return { app: appName(found[1]), number: found[2] }
}

/** The application of the nearest immunity.yaml, when none is named. */
function appName(given: string | undefined): string {
  if (given) return given
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const file = process.env.IMMUNITY_CONFIG ?? join(folder, "immunity.yaml")
    if (existsSync(file)) {
      const found = parse(readFileSync(file, "utf8")) as { app?: unknown } | undefined
      if (typeof found?.app === "string") return found.app
    }
    if (existsSync(join(folder, ".git")) || dirname(folder) === folder) {
      throw new Stop(exit.usage, "which application? name it, or go where its immunity.yaml is")
    }
  }
}

async function watch(name: string | undefined, options: Common): Promise<void> {
  const query = name === undefined ? "" : `?app=${encodeURIComponent(name)}`
  const answer = await fetch(`${client(options).url}/v1/events${query}`).catch(() => undefined)
  if (!answer?.body) throw new Stop(exit.broken, `no server answers at ${client(options).url}`)
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
