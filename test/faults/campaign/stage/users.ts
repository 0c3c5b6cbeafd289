import { type ChildProcess, fork } from "node:child_process"
import { createHash } from "node:crypto"
import { Agent, request } from "node:http"
import { fileURLToPath } from "node:url"

/** A request that no instance answered, or whose answer was not the one to it. */
export type Failure = {
  /** When it was sent and when it ended, in milliseconds since the epoch. */
  readonly at: number
  readonly until: number
  readonly method: string
  readonly kind: Kind
  readonly why: string
}

type Kind = "kept" | "fresh" | "slow" | "stream"

export type Served = {
  readonly requests: number
  /** Not by the application: broken, timed out, answered by the router, or another request's answer. */
  readonly failed: readonly Failure[]
  /** Answers 5xx that a release gave itself. */
  readonly bad: number
  readonly byRelease: Readonly<Record<string, number>>
  /** The releases that answered requests sent within the last second or so. */
  readonly lately: Readonly<Record<string, number>>
  readonly slowest: number
}

/**
 * Users in a process of their own: an open loop at a steady rate that waits for nobody, each request with an id that
 * its answer must repeat. Most connections are kept; one request in 25 comes on a fresh one, three in ten are writes
 * with a body whose digest the answer must name; each second one answer takes 5 s and two are streams of a second.
 */
export class Users {
  readonly #child: ChildProcess

  constructor(address: string, perSecond: number) {
    this.#child = fork(fileURLToPath(import.meta.url), [address, String(perSecond)])
  }

  served(): Promise<Served> {
    return this.#tell("report")
  }

  /** Sends nothing new, waits for what is under way and ends. */
  async stop(): Promise<Served> {
    const served = await this.#tell("stop")
    this.#child.kill("SIGKILL")
    return served
  }

  #tell(what: "report" | "stop"): Promise<Served> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error("the users are gone"))
      this.#child.once("message", (served) => {
        this.#child.off("exit", gone)
        resolve(served as Served)
      })
      this.#child.once("exit", gone)
      this.#child.send(what)
    })
  }
}

function beUsers(address: string, perSecond: number): void {
  const [host, port] = address.split(":")
  // A connection at rest is given up by its client first, as clients do who do not want to lose a request to a close.
  const agent = new Agent({ keepAlive: true, maxSockets: 512, timeout: 20_000 })
  const failed: Failure[] = []
  const byRelease: Record<string, number> = {}
  let lately: [at: number, release: string][] = []
  let [requests, bad, slowest, open, sent] = [0, 0, 0, 0, 0]
  const count = (release: string) => {
    byRelease[release] = (byRelease[release] ?? 0) + 1
  }

  const send = (kind: Kind) => {
    const number = sent++
    const id = `${process.pid}-${number}`
    const method = kind === "kept" && number % 10 < 3 ? "POST" : "GET"
    const path = { kept: "/items", fresh: "/items", slow: "/slow", stream: "/stream" }[kind]
    const body = method === "POST" ? `{"order":"${id}","filler":"${"y".repeat(number % 2_000)}"}` : ""
    const at = Date.now()
    open++
    let done = false
    const end = (why: string | undefined, release?: string) => {
      if (done) return
      done = true
      open--
      requests++
      const until = Date.now()
      if (kind === "kept") slowest = Math.max(slowest, until - at)
      if (why === undefined) {
        if (release !== undefined) {
          count(release)
          lately.push([at, release])
        }
        return
      }
      if (failed.length < 10_000) failed.push({ at, until, method, kind, why })
    }
    const asked = request(
      {
        host,
        port,
        method,
        path: `${path}?id=${id}`,
        agent: kind === "fresh" ? false : agent,
        headers: body === "" ? {} : { "content-length": String(Buffer.byteLength(body)) },
        timeout: 15_000,
      },
      (answer) => {
        const parts: Buffer[] = []
        const { "x-release": release, "x-immunity-router": router } = answer.headers
        answer.on("data", (part: Buffer) => parts.push(part))
        answer.on("error", (error) => end(`broken off: ${error.message}`))
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8")
          if (typeof release !== "string") return end(`${answer.statusCode} ${String(router ?? text)}`)
          if (answer.statusCode !== 200) {
            bad++
            return end(undefined, release)
          }
          if (kind === "stream")
            return end(text.endsWith(id) ? undefined : "a stream without its end", release)
          const digest = createHash("sha256").update(body).digest("hex")
          end(text === JSON.stringify({ id, digest }) ? undefined : "an answer to another request", release)
        })
      },
    )
    asked.on("timeout", () => asked.destroy(new Error("no answer within 15 s")))
    asked.on("error", (error) => end(error.message))
    asked.end(body)
  }

  const began = performance.now()
  let [due, seconds] = [0, 0]
  const timer = setInterval(() => {
    const passed = (performance.now() - began) / 1_000
    while (due < passed * perSecond) {
      due++
      send(due % 25 === 0 ? "fresh" : "kept")
    }
    if (passed < seconds) return
    seconds++
    for (const kind of ["slow", "stream", "stream"] as const) send(kind)
    lately = lately.filter(([at]) => at > Date.now() - 10_000)
  }, 5)

  const report = () => {
    const recent: Record<string, number> = {}
    for (const [at, release] of lately)
      if (at > Date.now() - 1_500) recent[release] = (recent[release] ?? 0) + 1
    process.send?.({ requests, failed, bad, byRelease, lately: recent, slowest } satisfies Served)
  }
  process.on("message", (what) => {
    if (what === "report") return report()
    clearInterval(timer)
    const ending = setInterval(() => {
      if (open > 0 && performance.now() - began < 86_400_000) return
      clearInterval(ending)
      report()
    }, 50)
    setTimeout(() => {
      clearInterval(ending)
      report()
    }, 20_000)
  })
  process.on("disconnect", () => process.exit(0))
}

const [, program, address, perSecond] = process.argv
if (program === fileURLToPath(import.meta.url) && address) beUsers(address, Number(perSecond))
