import type { Command } from "commander"
import type { AppView, RolloutView } from "../api/contract/views.ts"
import { exit, Stop } from "./client.ts"
import { consent } from "./consent.ts"
import { followCommit, followRollout, type Order, patience } from "./follow.ts"
import { clock, line, print } from "./print.ts"
import { appName, base, type Common, client, split } from "./target.ts"

/** Everything that changes something: it says what will happen, asks, does it, and waits for how it ends. */
export function addOrders(program: Command): void {
  waiting(base(program, "deploy <app> [commit]", "chooses a commit; the newest when none is named"))
    .option("--reason <why>", "why", "chosen by a person")
    .option("--hotfix", "what is under way makes way for it, without blame; needs --reason")
    .option("--yes", "without asking")
    .action(deploy)
  ordering(base(program, "override <app>", "an emergency: locks and freezes stand aside for a time"))
    .requiredOption("--for <duration>", "how long: 30m, 2h; at most 4h")
    .option("--region <name>", "only there")
    .action(override)
  for (const [verb, says] of [
    ["approve", "lets it go on, exactly as it was seen"],
    ["reject", "refuses it"],
    ["halt", "stops it; its users go back to the old release"],
    ["rollback", "takes it back, locks and blocks it"],
    ["retry", "tries it again as a new attempt"],
  ] as const) {
    waiting(ordering(base(program, `${verb} <rollout>`, says))).action((target: string, options: Order) =>
      steer(verb, target, options),
    )
  }
  for (const verb of ["pause", "resume"] as const) {
    waiting(
      ordering(base(program, `${verb} <target>`, `${verb}s an application, or with papi#7 one rollout`)),
    ).action((target: string, options: Order) => {
      if (!target.includes("#")) return orderApp(verb, target, options)
      if (verb === "pause")
        throw new Stop(exit.usage, "a single rollout is halted, not paused: immunity halt")
      return steer("resume", target, options)
    })
  }
  ordering(
    base(
      program.command("pools").description("the old pools that are kept for a swap back"),
      "release <app>",
      "gives up what a region keeps, so that a contract step may begin",
    ),
  )
    .requiredOption("--region <region>", "the region, or several: prod3,prod4")
    .action(releasePools)
  addLocks(program.command("lock").description("what keeps anything new from starting"))
}

const ordering = (command: Command): Command =>
  command.requiredOption("--reason <why>", "why; it stands in the journal").option("--yes", "without asking")

const waiting = (command: Command): Command =>
  command
    .option("--detach", "does not wait for how it ends")
    .option("--timeout <duration>", "how long it waits: 90s, 30m, 2h; what runs goes on", "1h")

/** An order on one rollout; an approval holds for what was shown and nothing newer. */
async function steer(verb: string, target: string, options: Order): Promise<void> {
  const limit = patience(options.timeout)
  const { app, number } = split(target)
  const path = `/v1/apps/${app}/rollouts/${number}`
  const view = await client(options).get<RolloutView>(path)
  const consequences = view.consequences[verb]
  if (!consequences) {
    const forward = verb === "rollback" ? view.migration?.noWayBack : undefined
    if (forward) throw new Stop(exit.refused, `${app}#${number} is not taken back: ${forward}`)
    const possible = view.actions.length > 0 ? view.actions.join(", ") : "nothing"
    throw new Stop(
      exit.refused,
      `${app}#${number} cannot be ordered to ${verb}: ${view.summary.sentence} Possible now: ${possible}`,
    )
  }
  await consent(options, `${verb} ${app}#${number} (${view.summary.commit})`, consequences)
  const bound = verb === "approve" ? { digest: view.digest, evidence: view.evidence } : {}
  const done = await client(options).post(`${path}/${verb}`, { reason: options.reason, ...bound })
  if (options.detach || verb === "reject") return print(options, done, () => line("accepted"))
  const next = verb === "retry" ? await newestAttempt(options, view) : Number(number)
  await followRollout(options, app, next, verb, limit)
}

async function newestAttempt(options: Order, view: RolloutView): Promise<number> {
  const { rollouts } = await client(options).get<AppView>(`/v1/apps/${view.app}`)
  const { region, commit } = view.summary
  const same = rollouts.filter((rollout) => rollout.region === region && rollout.commit === commit)
  return Math.max(...same.map((rollout) => rollout.number))
}

async function deploy(
  app: string,
  commit: string | undefined,
  options: Order & { readonly hotfix?: boolean },
): Promise<void> {
  const limit = patience(options.timeout)
  const view = await client(options).get<AppView>(`/v1/apps/${app}`)
  const chosen =
    commit === undefined ? view.commits[0] : view.commits.find((known) => commit.startsWith(known.commit))
  const name = chosen?.commit ?? commit ?? "the newest commit"
  const regions = view.regions.map((region) => region.name).join(" → ") || "the regions that it names"
  const { hotfix = false, reason } = options
  await consent(options, `deploy ${name} of ${app}`, [
    ...(hotfix ? ["whatever is under way goes back to what serves first"] : []),
    `${name} is built once, then climbs ${regions}; each region asks as its gate says`,
  ])
  const done = await client(options).post(`/v1/apps/${app}/deploy`, { commit, reason, hotfix })
  if (options.detach) return print(options, done, () => line("accepted"))
  await followCommit(options, app, name, limit)
}

type Override = Order & { readonly for: string; readonly region?: string }

async function override(app: string, options: Override): Promise<void> {
  const minutes = patience(options.for) / 60_000
  if (minutes <= 0 || minutes > 240)
    throw new Stop(exit.usage, `--for ${options.for} is no time for it: more than none, at most 4h`)
  await consent(options, `override ${app}`, [
    `for ${options.for}, locks and freezes${options.region ? ` of ${options.region}` : ""} stop nothing; it stands in the journal`,
  ])
  const { reason, region } = options
  const done = await client(options).post(`/v1/apps/${app}/override`, { reason, region, minutes })
  print(options, done, () => line("accepted"))
}

async function orderApp(verb: "pause" | "resume", app: string, options: Order): Promise<void> {
  const says =
    verb === "pause"
      ? ["nothing new advances; going back stays possible"]
      : ((await client(options).get<AppView>(`/v1/apps/${app}`)).resume ?? [])
  await consent(options, `${verb} ${app}`, says)
  const done = await client(options).post(`/v1/apps/${app}/${verb}`, { reason: options.reason })
  print(options, done, () => line("accepted"))
}

async function releasePools(app: string, options: Order & { readonly region: string }): Promise<void> {
  const regions = options.region.split(",").map((name) => name.trim())
  await consent(options, `give up the kept pools of ${app} at ${regions.join(", ")}`, [
    "nobody can be swapped back to them any more; their instances are ended",
    "a contract step that waits for them goes on",
  ])
  const { reason } = options
  const done = []
  for (const region of regions)
    done.push(
      await client(options).post(`/v1/apps/${app}/regions/${encodeURIComponent(region)}/release-pools`, {
        reason,
      }),
    )
  print(options, done, () => line("given up"))
}

function addLocks(lock: Command): void {
  base(lock, "list [app]", "the locks").action(async (name: string | undefined, options: Common) => {
    const { locks } = await client(options).get<AppView>(`/v1/apps/${appName(name)}`)
    print(options, locks, () => {
      for (const held of locks)
        line(`${held.id}  ${held.scope}  ${clock(held.at)}  ${held.by}: ${held.because}`)
      if (locks.length === 0) line("nothing is locked")
    })
  })
  ordering(base(lock, "add <app>", "locks an application or one region"))
    .option("--region <region>", "only this region")
    .action(async (app: string, options: Order & { region?: string }) => {
      const what = options.region ? `${options.region} of ${app}` : app
      await consent(options, `lock ${what}`, [`nothing new starts in ${what}; going back stays possible`])
      const { reason, region } = options
      const done = await client(options).post(`/v1/apps/${app}/locks`, { reason, region })
      print(options, done, () => line("locked"))
    })
  ordering(base(lock, "release <app> [id]", "releases a lock; the newest when none is named"))
    .option("--preventive <what>", "what will prevent it next time")
    .action(release)
}

async function release(
  app: string,
  id: string | undefined,
  options: Order & { preventive?: string },
): Promise<void> {
  const { locks } = await client(options).get<AppView>(`/v1/apps/${app}`)
  const held = id === undefined ? locks.at(-1) : locks.find((known) => String(known.id) === id)
  if (!held)
    throw new Stop(exit.usage, id === undefined ? `${app} is not locked` : `${app} has no lock ${id}`)
  await consent(options, `release lock ${held.id} of ${app}`, [
    `it was locked by ${held.by}: ${held.because}`,
    "new commits may start again; a blocked release stays blocked",
  ])
  const { reason, preventive } = options
  const done = await client(options).post(`/v1/apps/${app}/locks/${held.id}/release`, { reason, preventive })
  print(options, done, () => line("released"))
}
