import { execFile } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { sizeOfArtifacts } from "../agent/artifacts.ts"
import type { AppView, ServerView } from "../api/contract/views.ts"
import { Client, exit, Stop, serverUrl } from "../cli/client.ts"
import type { Killed } from "../ports/kill-switch.ts"
import type { Timeline } from "../store/dialect.ts"
import type { Store } from "../store/store.ts"
import { storeAt, type Where } from "./backup.ts"
import { foldersIn } from "./folders.ts"

/** One thing that was looked at. `next` is what to do when it is not well. */
type Finding = {
  readonly about: string
  readonly state: "well" | "note" | "problem" | "unknown"
  readonly says: string
  readonly next?: string | undefined
}

const run = promisify(execFile)
const enoughRoom = 512 * 1024 * 1024

/** Looks at everything that a server rests on and changes nothing. Ends with code 1 when something is a problem. */
export async function doctor(where: Where & { readonly server?: string; readonly json?: boolean }) {
  const findings = [await git(), ...(await folder(where)), ...(await server(where.server))]
  if (where.json) process.stdout.write(`${JSON.stringify(findings)}\n`)
  else for (const finding of findings) print(finding)
  if (findings.some(({ state }) => state === "problem")) process.exitCode = exit.broken
}

function print({ about, state, says, next }: Finding): void {
  process.stdout.write(`${state.padEnd(8)} ${about.padEnd(12)} ${says}\n`)
  if (next) process.stdout.write(`${" ".repeat(22)}next: ${next}\n`)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function git(): Promise<Finding> {
  try {
    const { stdout } = await run("git", ["--version"], { timeout: 10_000 })
    return { about: "git", state: "well", says: stdout.trim() }
  } catch (error) {
    return {
      about: "git",
      state: "problem",
      says: `no git: ${messageOf(error)}`,
      next: "install git; commits are read with it",
    }
  }
}

/** Only what is there: a doctor makes neither folders nor secrets. */
async function folder(where: Where): Promise<readonly Finding[]> {
  if (where.db === undefined && !existsSync(where.dir))
    return [
      {
        about: "folder",
        state: "unknown",
        says: `there is no ${where.dir}`,
        next: "immunity serve makes it, or --dir with the server's data folder",
      },
    ]
  const here = existsSync(where.dir) ? [secrets(where), ...(await artifacts(where))] : []
  return [...here, ...(await store(where))]
}

/** Of processes and of trees that images were built from; what images take besides, their engine knows. */
async function artifacts({ dir }: Where): Promise<readonly Finding[]> {
  const folder = join(foldersIn(dir).agent, "artifacts")
  if (!existsSync(folder)) return []
  try {
    const { count, bytes } = await sizeOfArtifacts(folder)
    const says = `${count} take ${Math.ceil(bytes / 1024 / 1024)} MiB; what no release needs any more goes by itself`
    return [{ about: "artifacts", state: "well", says }]
  } catch (error) {
    return [{ about: "artifacts", state: "unknown", says: messageOf(error) }]
  }
}

function secrets({ dir }: Where): Finding {
  const { token, pushToken, webhookSecret } = foldersIn(dir)
  const open = [token, pushToken, webhookSecret].filter(
    (file) => existsSync(file) && (statSync(file).mode & 0o077) !== 0,
  )
  if (open.length > 0)
    return {
      about: "secrets",
      state: "problem",
      says: `${open.join(", ")} can be read by others`,
      next: `chmod 600 ${open.join(" ")}`,
    }
  return existsSync(token)
    ? { about: "secrets", state: "well", says: "readable by their owner alone" }
    : { about: "secrets", state: "unknown", says: `none in ${dir} yet`, next: "immunity serve makes them" }
}

async function store(where: Where): Promise<readonly Finding[]> {
  let opened: Store
  try {
    opened = await storeAt(where, true)
  } catch (error) {
    return [{ about: "store", state: "problem", says: messageOf(error) }]
  }
  try {
    const health = await opened.health()
    const { damage, diskFree, deadLetters } = health
    const whole: Finding = damage
      ? {
          about: "store",
          state: "problem",
          says: `damaged at ${damage.stream} version ${damage.version}: ${damage.because}`,
          next: "keep the file, restore the last backup into an empty folder: immunity restore",
        }
      : { about: "store", state: "well", says: `whole, every event follows; schema ${health.schema}` }
    return [
      whole,
      ...failOver(await opened.timeline()),
      ...standby(await opened.waitsFor()),
      ...room(diskFree),
      ...letters(deadLetters),
      ...killSwitchIn(where, await opened.killSwitch.read()),
    ]
  } finally {
    await opened.close()
  }
}

/** Whether what was held before a fail-over of the database can be told from what is held after it. */
function failOver(timeline: Timeline): readonly Finding[] {
  const about = "fail-over"
  switch (timeline) {
    case "none":
      return []
    case "untold":
      return [
        {
          about,
          state: "note",
          says: "the database does not tell which timeline it is on: epochs are not raised when a standby takes over",
          next: "let this role call pg_walfile_name and pg_current_wal_insert_lsn; where that cannot be, fail over to a synchronous standby only",
        },
      ]
    case "standby":
      return [
        {
          about,
          state: "problem",
          says: "this address leads to a standby, where nothing can be written",
          next: "give the address of the primary, or one that follows it (docs/guides/scaling-out.md)",
        },
      ]
    default:
      return [{ about, state: "well", says: `timeline ${timeline}; each promotion raises all epochs` }]
  }
}

function standby(awaited: string | undefined): readonly Finding[] {
  if (awaited === undefined) return []
  const [says = "", next] = awaited.split(". ")
  return [{ about: "standby", state: "problem", says, next }]
}

/** The row that all control planes share, and the file of this folder. */
function killSwitchIn({ dir }: Where, killed: Killed | undefined): readonly Finding[] {
  const about = "kill switch"
  const file = join(dir, "kill-switch")
  const says = "it is set: nothing is changed"
  return [
    ...(killed
      ? [
          {
            about,
            state: "problem",
            says: `${says}; ${killed.by}: ${killed.reason}`,
            next: "immunity kill-switch lift --reason WHY, when that is over",
          } as const,
        ]
      : []),
    ...(existsSync(file)
      ? [{ about, state: "problem", says: `${says} by this server; ${file}`, next: `rm ${file}` } as const]
      : []),
  ]
}

function room(free: number | undefined): readonly Finding[] {
  if (free === undefined) return []
  const says = `${Math.floor(free / 1024 / 1024)} MiB free beside the store`
  return [
    free >= enoughRoom
      ? { about: "disk", state: "well", says }
      : {
          about: "disk",
          state: "problem",
          says,
          next: "make room; with too little of it nothing new starts",
        },
  ]
}

function letters(dead: number): readonly Finding[] {
  if (dead === 0) return []
  return [
    {
      about: "notices",
      state: "problem",
      says: `${dead} could not be delivered and are not tried again`,
      next: "check the addresses under notify",
    },
  ]
}

function machine({ server, problem, outdated }: ServerView): readonly Finding[] {
  const about = "agent"
  return [
    ...(problem === undefined
      ? []
      : [
          {
            about,
            state: "problem",
            says: `${server}: ${problem}`,
            next: "mend that; until then nothing is changed there, and what runs there keeps running",
          } as const,
        ]),
    ...(outdated
      ? [
          {
            about,
            state: outdated.kind === "patch" ? "note" : "problem",
            says: `${server}: ${outdated.says}`,
            next: outdated.next,
          } as const,
        ]
      : []),
  ]
}

async function server(given: string | undefined): Promise<readonly Finding[]> {
  const url = serverUrl(given)
  const client = new Client(url)
  try {
    const health = await client.get<{ ok: boolean; detail: string }>("/healthz")
    const apps = await client.get<readonly { app: string }[]>("/v1/apps")
    const ofApps = await Promise.all(apps.map(({ app }) => application(client, app)))
    const servers = await client.get<readonly ServerView[]>("/v1/servers")
    return [
      { about: "server", state: health.ok ? "well" : "problem", says: `${url}: ${health.detail}` },
      ...servers.flatMap(machine),
      ...ofApps.flat(),
    ]
  } catch (error) {
    return [
      {
        about: "server",
        state: "unknown",
        says: messageOf(error),
        next: "immunity serve, or --server with its address",
      },
    ]
  }
}

async function application(client: Client, app: string): Promise<readonly Finding[]> {
  try {
    const { problems } = await client.get<AppView>(`/v1/apps/${app}`)
    return problems.map(({ part, problem }) => ({
      about: app,
      state: "problem",
      says: `${part}: ${problem}`,
    }))
  } catch (error) {
    // Removed since it was listed.
    if (error instanceof Stop && error.code === exit.usage) return []
    return [{ about: app, state: "unknown", says: messageOf(error) }]
  }
}
