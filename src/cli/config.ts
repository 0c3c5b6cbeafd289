import { readFileSync } from "node:fs"
import type { Command } from "commander"
import type { ConfigurationView } from "../api/contract/views.ts"
import { exit, Stop } from "./client.ts"
import { consent } from "./consent.ts"
import { line, print } from "./print.ts"
import { appName, base, type Common, client } from "./target.ts"

type Change = Common & { readonly reason: string; readonly region?: string; readonly yes?: boolean }
type Wanted = { readonly key: string; readonly value?: string; readonly secret?: boolean }

/** What an application is configured with at run time; every change climbs the regions like a release. */
export function addConfig(program: Command): void {
  const config = program.command("config").description("what instances are configured with at run time")
  base(config, "show [app]", "the keys and their values; of secrets only that they are set").action(show)
  changing(base(config, "set <app> [pairs...]", "sets KEY=VALUE, as many as are named"))
    .option("--secret <key>", "sets this key to what stands in the standard input, sealed")
    .action((app: string, pairs: string[], options: Change & { secret?: string }) =>
      change(app, [...pairs.map(pairOf), ...secretOf(options.secret)], options),
    )
  changing(base(config, "unset <app> <keys...>", "takes keys away")).action(
    (app: string, keys: string[], options: Change) =>
      change(
        app,
        keys.map((key) => ({ key })),
        options,
      ),
  )
  reasoned(base(config, "restore <app> <version>", "the values of an earlier version, as a new one")).action(
    restore,
  )
}

const reasoned = (command: Command): Command =>
  command.requiredOption("--reason <why>", "why; it stands in the journal").option("--yes", "without asking")

const changing = (command: Command): Command =>
  reasoned(command).option("--region <region>", "only in this region, before what is set for all")

function pairOf(pair: string): Wanted {
  const at = pair.indexOf("=")
  if (at < 1) throw new Stop(exit.usage, `"${pair}" sets nothing; write it as KEY=VALUE`)
  return { key: pair.slice(0, at), value: pair.slice(at + 1) }
}

/** Never from the command line: that would stand in the shell's history and in `ps`. */
function secretOf(key: string | undefined): readonly Wanted[] {
  if (key === undefined) return []
  if (key.includes("=")) {
    const name = key.slice(0, key.indexOf("="))
    throw new Stop(exit.usage, `a secret is read from the standard input: --secret ${name} < file`)
  }
  if (process.stdin.isTTY)
    throw new Stop(exit.usage, `a secret is read from the standard input, as in: --secret ${key} < file`)
  const value = readFileSync(0, "utf8").replace(/\r?\n$/, "")
  if (value === "") throw new Stop(exit.usage, `the standard input is empty; ${key} was not set`)
  return [{ key, value, secret: true }]
}

async function change(app: string, wanted: readonly Wanted[], options: Change): Promise<void> {
  if (wanted.length === 0) throw new Stop(exit.usage, "name at least one KEY=VALUE, or --secret KEY")
  const { region, reason } = options
  await climbs(options, app, `configure ${wanted.map(({ key }) => key).join(", ")} of ${app}`)
  const done = await client(options).post(`/v1/apps/${app}/configuration`, {
    changes: wanted.map((one) => ({ ...one, region })),
    reason,
  })
  print(options, done, () => line(`changed; see how it climbs: immunity status ${app}`))
}

async function restore(app: string, version: string, options: Change): Promise<void> {
  await climbs(options, app, `restore configuration ${version} of ${app}`)
  const { reason } = options
  const body = { version: Number(version), reason }
  const done = await client(options).post(`/v1/apps/${app}/configuration/restore`, body)
  print(options, done, () => line(`restored as a new version; see how it climbs: immunity status ${app}`))
}

async function climbs(options: Change, app: string, what: string): Promise<void> {
  const { regions } = await client(options).get<ConfigurationView>(`/v1/apps/${app}/configuration`)
  const way = regions.map(({ region }) => region).join(" → ") || "the regions of its first build"
  await consent(options, what, [`fresh instances with it climb ${way}; each region asks as its gate says`])
}

async function show(name: string | undefined, options: Common): Promise<void> {
  const app = appName(name)
  const view = await client(options).get<ConfigurationView>(`/v1/apps/${app}/configuration`)
  print(options, view, () => {
    const served = view.regions.map(({ region, version }) => `${region} ${version ?? "nothing"}`).join(", ")
    line(`configuration ${view.version} of ${app}${served ? `; served with: ${served}` : ""}`)
    for (const { key, region, value } of view.values)
      line(`${key}${region === undefined ? "" : ` (${region})`}  ${value ?? "secret"}`)
    if (view.values.length === 0) line("nothing is set")
  })
}
