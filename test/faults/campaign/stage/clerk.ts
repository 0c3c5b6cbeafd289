import type { ControlPlane } from "../../../support/control-plane.ts"
import { pause } from "../../../support/until.ts"

/** What the journal says about its events, oldest first. */
export type Booked = { readonly stream: string; readonly version: number; readonly because: string }

const app = "ledger"

/**
 * Gives orders without an end, each under a key of its own, and writes down which of them were acknowledged. An order
 * whose answer is lost is given again under its key until it is answered: it must take effect exactly once.
 */
export class Clerk {
  readonly acknowledged: string[] = []
  /** Orders that were given more than once because an answer was lost. */
  repeated = 0
  /** Longest time between giving an order for the first time and its answer, in milliseconds. */
  slowest = 0
  readonly #planes: readonly ControlPlane[]
  readonly #everyMs: number
  #over = false
  #work: Promise<void> | undefined
  #stoppedBy: unknown

  constructor(planes: readonly ControlPlane[], everyMs: number) {
    this.#planes = planes
    this.#everyMs = everyMs
  }

  /** The application has a repository that is not there: it never deploys anything. */
  async start(): Promise<void> {
    const url = "/nowhere/ledger"
    await this.#insist("/v1/apps", { url, app }, "open")
    this.#work = this.#give().catch((error: unknown) => {
      this.#stoppedBy = error
    })
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#work
    if (this.#stoppedBy) throw this.#stoppedBy
  }

  /** Acknowledged orders that a journal does not hold, or holds twice. */
  missingIn(booked: readonly Booked[]): readonly string[] {
    const found = new Map<string, number>()
    for (const { stream, because } of booked)
      if (stream === app) found.set(because, (found.get(because) ?? 0) + 1)
    return this.acknowledged.filter((order) => found.get(order) !== 1)
  }

  async #give(): Promise<void> {
    for (let number = 0; !this.#over; number++) {
      const reason = `order ${number}`
      const path = `/v1/apps/${app}/${number % 2 === 0 ? "pause" : "resume"}`
      const asked = performance.now()
      await this.#insist(path, { reason }, reason)
      this.acknowledged.push(reason)
      this.slowest = Math.max(this.slowest, performance.now() - asked)
      await pause(this.#everyMs)
    }
  }

  /** Until somebody answers, however often it takes. */
  async #insist(path: string, body: object, key: string): Promise<void> {
    const began = performance.now()
    for (let tries = 0; ; tries++) {
      const plane = this.#planes[tries % this.#planes.length]
      try {
        await plane?.ask("POST", path, body, key)
        return
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error)
        // Refused by a rule: a mistake of ours, or of who lost what was there before.
        if (/: 4\d\d /.test(said)) throw error
        if (tries === 0) this.repeated++
        // Who was sent home does not wait for ever for somebody who is dead for good.
        if (this.#over && performance.now() - began > 60_000) throw error
        await pause(50)
      }
    }
  }
}
