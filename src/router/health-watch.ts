import { request } from "node:http"
import type { Log } from "./log.ts"
import { parseAddress } from "./read-table.ts"
import type { HealthTable, RouteTable } from "./table.ts"

/**
 * `failing`: was well once. `unproven`: has not passed yet and is asked nothing, whatever else is broken.
 * `silent`: those of the failing that do not answer at all, as if cut off.
 */
export type Marks = {
  readonly failing: readonly string[]
  readonly unproven: readonly string[]
  readonly silent?: readonly string[]
}

type Watched = {
  readonly address: string
  readonly health: HealthTable
  isProven: boolean
  isWell: boolean
  isSilent: boolean
  /** In a row, against what is believed now. */
  contrary: number
  nextAt: number
  isAsking: boolean
}

/** Asks each instance of routes that want it whether it is well. One for all workers. */
export class HealthWatch {
  readonly #mark: (marks: Marks) => Promise<void>
  readonly #log: Log
  readonly #watched = new Map<string, Watched>()
  readonly #timer: NodeJS.Timeout

  constructor(mark: (marks: Marks) => Promise<void>, log: Log) {
    this.#mark = mark
    this.#log = log
    this.#timer = setInterval(() => this.#tick(performance.now()), 50)
  }

  /**
   * From now on these; resolves when nobody asks a new one before it has passed. `served`: they were asked
   * before this router started, and are until they show that they are not well.
   */
  async follow(routes: readonly RouteTable[], served = false): Promise<void> {
    const wanted = new Map<string, { address: string; health: HealthTable }>()
    for (const { health, pools } of routes)
      if (health)
        for (const { id, address } of pools.flatMap((pool) => pool.instances))
          wanted.set(id, { address, health })
    let changed = false
    for (const id of this.#watched.keys()) if (!wanted.has(id)) changed = this.#watched.delete(id) || changed
    for (const [id, { address, health }] of wanted) {
      const known = this.#watched.get(id)
      if (known?.address === address) {
        this.#watched.set(id, { ...known, health })
        continue
      }
      changed = true
      this.#watched.set(id, {
        address,
        health,
        isProven: served,
        isWell: served,
        isSilent: false,
        contrary: 0,
        nextAt: 0,
        isAsking: false,
      })
    }
    if (changed) await this.#tell()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #tell(): Promise<void> {
    const ids = (is: (one: Watched) => boolean) =>
      [...this.#watched].filter(([, one]) => is(one)).map(([id]) => id)
    await this.#mark({
      failing: ids((one) => one.isProven && !one.isWell),
      unproven: ids((one) => !one.isProven),
      silent: ids((one) => one.isProven && !one.isWell && one.isSilent),
    })
  }

  #tick(now: number): void {
    for (const [id, one] of this.#watched) {
      if (one.isAsking || now < one.nextAt) continue
      one.isAsking = true
      void ask(one.address, one.health).then((heard) => this.#heard(id, one, heard))
    }
  }

  #heard(id: string, one: Watched, heard: Heard): void {
    const well = heard === "well"
    const { intervalMs, rise, fall } = one.health
    one.isAsking = false
    // Not all instances of a pool in the same moment, nor all routers at once.
    one.nextAt = performance.now() + intervalMs * (0.9 + 0.2 * Math.random())
    if (this.#watched.get(id)?.address !== one.address) return
    // `follow` may have made a new record of it meanwhile.
    const current = this.#watched.get(id) ?? one
    Object.assign(current, { isAsking: false, nextAt: one.nextAt })
    if (well === current.isWell) {
      current.contrary = 0
      return
    }
    current.contrary += 1
    if (current.contrary < (well ? (current.isProven ? rise : 1) : fall)) return
    current.contrary = 0
    current.isWell = well
    current.isSilent = heard === "silence"
    current.isProven ||= well
    this.#log("info", well ? "an instance is well" : "an instance is not well", { instance: id })
    void this.#tell().catch(() => undefined)
  }
}

/** What an instance answers: 2xx or 3xx in time, something else, or nothing at all. */
type Heard = "well" | "unwell" | "silence"

function ask(address: string, { path, timeoutMs }: HealthTable): Promise<Heard> {
  const parsed = parseAddress(address)
  if (!parsed) return Promise.resolve("unwell")
  return new Promise((resolve) => {
    const asked = request(
      {
        host: parsed.host,
        port: parsed.port,
        path,
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
        headers: { "User-Agent": "immunity-router", Connection: "close" },
      },
      (answer) => {
        const status = answer.statusCode ?? 0
        answer.on("error", () => undefined)
        answer.resume()
        resolve(status >= 200 && status < 400 ? "well" : "unwell")
        asked.destroy()
      },
    )
    // Refused or reset is an answer of its machine; only silence leaves what is under way hanging.
    asked.on("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ECONNREFUSED" || error.code === "ECONNRESET" ? "unwell" : "silence"),
    )
    asked.end()
  })
}
