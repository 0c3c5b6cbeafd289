import type { AppView, RolloutSummary, RolloutView } from "../api/contract/views.ts"
import { exit, Stop } from "./client.ts"
import { line, print } from "./print.ts"
import { type Common, client } from "./target.ts"

const lookEvery = 500

/** What every order is given that can be waited for: why, and whether to ask and how long to wait. */
export type Order = Common & {
  readonly reason: string
  readonly yes?: boolean
  readonly detach?: boolean
  readonly timeout?: string
}

/** `90s`, `30m`, `2h` in milliseconds. */
export function patience(text: string | undefined): number {
  const found = /^(\d+)(s|m|h)$/.exec(text ?? "1h")
  if (!found) throw new Stop(exit.usage, `${text} is not a duration such as 90s, 30m or 2h`)
  const [, count, unit] = found
  return Number(count) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as "s" | "m" | "h"]
}

/** Waits until a rollout has ended or a person is asked; its end is the exit code. */
export async function followRollout(
  options: Common,
  app: string,
  number: number,
  ordered: string,
  limit: number,
): Promise<void> {
  let view = await client(options).get<RolloutView>(`/v1/apps/${app}/rollouts/${number}`)
  await until(limit, `${app}#${number}`, async () => {
    view = await client(options).get<RolloutView>(`/v1/apps/${app}/rollouts/${number}`)
    tell(options, `${app}#${number}`, view.summary)
    return ended(view.summary, ordered) !== undefined
  })
  const code = ended(view.summary, ordered) ?? exit.running
  print(options, view, () => undefined)
  process.exitCode = code
}

/** Waits until a commit serves everywhere, ended badly, or a person is asked. */
export async function followCommit(
  options: Common,
  app: string,
  commit: string,
  limit: number,
): Promise<void> {
  let code: number = exit.running
  let view = await client(options).get<AppView>(`/v1/apps/${app}`)
  await until(limit, `${app} ${commit}`, async () => {
    view = await client(options).get<AppView>(`/v1/apps/${app}`)
    const mine = view.rollouts.filter((rollout) => rollout.commit === commit)
    for (const rollout of mine) tell(options, `${app}#${rollout.number}`, rollout)
    const found = endOfCommit(view, commit, mine)
    if (found !== undefined) code = found
    return found !== undefined
  })
  print(options, view, () => undefined)
  process.exitCode = code
}

function endOfCommit(view: AppView, commit: string, rollouts: readonly RolloutSummary[]): number | undefined {
  const state = view.commits.find((known) => known.commit === commit)?.state
  if (state === "failed" || state === "refused") return exit.badEnd
  if (state === "superseded") return exit.undecided
  if (view.regions.every((region) => region.serving?.commit === commit && region.active === undefined))
    return exit.ok
  const open = rollouts.map((rollout) => ended(rollout, "deploy")).filter((code) => code !== exit.ok)
  return open.find((code) => code === exit.badEnd) ?? open.find((code) => code === exit.undecided)
}

/** The exit code of where it is; undefined while it goes on by itself. */
function ended({ phase, asks }: RolloutSummary, ordered: string): number | undefined {
  switch (phase) {
    case "succeeded":
      return ordered === "rollback" ? undefined : exit.ok
    case "rolled-back":
    case "failed":
      return ordered === "rollback" ? exit.ok : exit.badEnd
    case "rollback-failed":
      return exit.badEnd
    case "cancelled":
      return ordered === "halt" || ordered === "rollback" ? exit.ok : exit.refused
    case "superseded":
      return exit.undecided
    case "holding":
      return ordered === "halt" ? exit.ok : asks ? exit.undecided : undefined
    case "queued":
      return asks ? exit.undecided : undefined
    default:
      return undefined
  }
}

const told = new Map<string, string>()

/** One line for each change, with its time; for people on the error stream when the answer is JSON. */
function tell(options: Common, name: string, { phase, sentence }: RolloutSummary): void {
  if (told.get(name) === phase) return
  told.set(name, phase)
  const text = `${new Date().toISOString()} ${name} ${sentence}`
  if (options.json) process.stderr.write(`${text}\n`)
  else line(text)
}

/** Looks again and again until it is done, or the waiting has lasted long enough. */
export async function until(limit: number, what: string, done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + limit
  while (!(await done())) {
    if (Date.now() >= deadline) {
      process.stderr.write(`${what} still goes on; only the waiting has ended. See: immunity watch\n`)
      return
    }
    await new Promise((resolve) => setTimeout(resolve, lookEvery))
  }
}
