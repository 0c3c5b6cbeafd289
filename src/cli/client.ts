import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import type { Problem } from "../api/contract/views.ts"

/** What commands end with; stable, in `immunity help exit-codes`. */
export const exit = {
  ok: 0,
  broken: 1,
  usage: 2,
  config: 3,
  forbidden: 4,
  badEnd: 5,
  refused: 6,
  undecided: 7,
  running: 8,
  different: 9,
  skipped: 77,
  interrupted: 130,
} as const

export const exitMeanings: Readonly<Record<keyof typeof exit, string>> = {
  ok: "done, healthy, approved",
  broken: "Immunity itself failed: network, server, a mistake of ours",
  usage: "wrong usage",
  config: "the configuration is not valid",
  forbidden: "not logged in or not allowed",
  badEnd: "the rollout ended badly: tests failed, rolled back",
  refused: "refused: locked, frozen, rejected, changed since you looked",
  undecided: "undecided: held, needs a person, not enough data",
  running: "still running when the timeout ended",
  different: "differences were found (drift --exit-code)",
  skipped: "skipped: this machine cannot run it",
  interrupted: "interrupted",
}

/** Ends a command with a sentence and a code. `problem`: what the server calls it, where it refused. */
export class Stop extends Error {
  readonly code: number
  readonly problem: string | undefined

  constructor(code: number, message: string, problem?: string) {
    super(message)
    this.code = code
    this.problem = problem
  }
}

/** Where this machine keeps what one server needs, unless said otherwise. */
export const dataDir = (): string =>
  process.env.IMMUNITY_DIR ?? join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local/state"), "immunity")

/** Where the control plane answers, as it was given or is usual. Throws a `Stop` where that is no address. */
export function serverUrl(given: string | undefined): string {
  const text = given ?? process.env.IMMUNITY_SERVER ?? "http://127.0.0.1:7300"
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ""))
    throw new Stop(
      exit.usage,
      `${given === undefined ? "IMMUNITY_SERVER" : "--server"} ${text} is not an address such as http://127.0.0.1:7300`,
    )
  return text.replace(/\/$/, "")
}

/** Nobody answers, and why, where the system said why. */
export function noAnswer(url: string, error: unknown): Stop {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const because = cause instanceof Error ? cause.message : String(cause)
  return new Stop(exit.broken, `no server answers at ${url} (${because}); start one with: immunity serve`)
}

function token(): string | undefined {
  if (process.env.IMMUNITY_TOKEN) return process.env.IMMUNITY_TOKEN
  try {
    return readFileSync(join(dataDir(), "token"), "utf8").trim()
  } catch {
    return undefined
  }
}

/** Whose name is written down; an empty one is none. */
const actor = (): string => process.env.IMMUNITY_ACTOR || process.env.USER || "operator"

/** A client of the HTTP API; every failure becomes a sentence and an exit code. */
export class Client {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  get<T>(path: string): Promise<T> {
    return this.#ask<T>("GET", path, undefined)
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>("POST", path, body)
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>("PUT", path, body)
  }

  delete<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>("DELETE", path, body)
  }

  async #ask<T>(method: string, path: string, body: unknown): Promise<T> {
    const asked = path.split("?")[0] ?? path
    if (new URL(path, "http://localhost").pathname !== asked)
      throw new Stop(
        exit.usage,
        `a name in ${JSON.stringify(asked)} is not one: a letter, then letters, digits and -`,
      )
    const headers: Record<string, string> = { accept: "application/json" }
    if (method !== "GET") {
      const secret = token()
      if (secret === undefined) {
        throw new Stop(
          exit.forbidden,
          `no token: set IMMUNITY_TOKEN, or IMMUNITY_DIR to the server's data folder (looked in ${dataDir()})`,
        )
      }
      if (!/^[\x21-\x7e]+$/.test(secret))
        throw new Stop(
          exit.forbidden,
          "the token is not one: it is a single line of letters, digits, - and _",
        )
      headers.authorization = `Bearer ${secret}`
      headers["content-type"] = "application/json"
      headers["idempotency-key"] = crypto.randomUUID()
      headers["x-immunity-actor"] = encodeURIComponent(actor().toWellFormed())
    }
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    }).catch((error: unknown) => {
      throw noAnswer(this.url, error)
    })
    if (!answer.ok)
      throw refusal(answer.status, (await answer.json().catch(() => undefined)) as Problem | undefined)
    return (await answer.json()) as T
  }
}

function refusal(status: number, problem: Problem | undefined): Stop {
  const message = problem?.detail ?? `the server answered ${status}`
  if (status === 401 || status === 403) return new Stop(exit.forbidden, message)
  if (status === 409 || status === 412) return new Stop(exit.refused, message)
  if (status === 400 || status === 404 || status === 410 || status === 422)
    return new Stop(exit.usage, message, problem?.code)
  return new Stop(exit.broken, message)
}
