import type { Site } from "../product.ts"
import { Client } from "./client.ts"
import type { Answer } from "./read-answers.ts"
import type { Cleanup } from "./waiting.ts"

export type Asked = {
  /** Milliseconds of a monotonic clock. */
  readonly startedAt: number
  /** 0: there was no whole answer. */
  readonly status: number
  readonly body: string
  readonly answer: Answer | undefined
}

/** One client that asks one thing after the other on one connection, and on a new one where that ended. */
export class Visitor {
  readonly #site: Site
  readonly #cleanup: Cleanup
  #client: Client | undefined

  constructor(site: Site, cleanup: Cleanup) {
    this.#site = site
    this.#cleanup = cleanup
  }

  async get(path = "/", fields: readonly string[] = []): Promise<Asked> {
    const startedAt = performance.now()
    const nothing = { startedAt, status: 0, body: "", answer: undefined }
    try {
      if (this.#client?.state !== "open") await this.#connect()
      const client = this.#client
      if (!client) return nothing
      client.send(`${[`GET ${path} HTTP/1.1`, "Host: x.test", ...fields].join("\r\n")}\r\n\r\n`, "GET")
      const [answer] = await client.settled(1)
      if (!answer?.isWhole) {
        this.leave()
        return nothing
      }
      client.forget()
      if (answer.fields.some(([name, value]) => name === "connection" && /close/i.test(value))) this.leave()
      return { startedAt, status: answer.status, body: answer.body, answer }
    } catch {
      this.leave()
      return nothing
    }
  }

  leave(): void {
    this.#client?.socket.destroy()
    this.#client = undefined
  }

  async #connect(): Promise<void> {
    this.leave()
    this.#client = await Client.connect(this.#site.address, this.#cleanup)
  }
}

/** Asks many things over a few connections; the answers are in the order of what was asked. */
export async function askAll(
  site: Site,
  cleanup: Cleanup,
  requests: readonly { readonly path?: string; readonly fields?: readonly string[] }[],
  connections = 8,
): Promise<readonly Asked[]> {
  const answered: Asked[] = []
  let next = 0
  const one = async () => {
    const visitor = new Visitor(site, cleanup)
    while (next < requests.length) {
      const at = next
      next += 1
      answered[at] = await visitor.get(requests[at]?.path, requests[at]?.fields)
    }
    visitor.leave()
  }
  await Promise.all(Array.from({ length: connections }, one))
  return answered
}

/** The same request so many times. */
export const askTimes = (
  site: Site,
  cleanup: Cleanup,
  times: number,
  connections?: number,
): Promise<readonly Asked[]> =>
  askAll(
    site,
    cleanup,
    Array.from({ length: times }, () => ({})),
    connections,
  )

/** Users who ask on and on, until they are stopped. */
export class Crowd {
  readonly asked: Asked[] = []
  #isOver = false
  readonly #loops: readonly Promise<void>[]

  constructor(site: Site, cleanup: Cleanup, size: number, pauseMs = 0) {
    cleanup.add(() => this.stop())
    this.#loops = Array.from({ length: size }, () => this.#loop(new Visitor(site, cleanup), pauseMs))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  async #loop(visitor: Visitor, pauseMs: number): Promise<void> {
    while (!this.#isOver) {
      this.asked.push(await visitor.get())
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    visitor.leave()
  }
}

/** How many standard deviations a share is off. */
export function sigmas(hits: number, of: number, share: number): number {
  return Math.abs(hits - of * share) / Math.sqrt(of * share * (1 - share))
}
