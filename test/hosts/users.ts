import { Agent, request } from "node:http"

const patience = 10_000

export type Seen = { readonly at: number; readonly ms: number; readonly failure: string | undefined }

/** Users who come at a steady rate whether or not they are answered: what is slow does not slow them down. */
export class Users {
  readonly seen: Seen[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 })
  readonly #timer: NodeJS.Timeout
  #underWay = 0
  #asked = 0

  constructor(port: number, perSecond: number) {
    const began = performance.now()
    this.#timer = setInterval(() => {
      const due = ((performance.now() - began) / 1_000) * perSecond
      while (this.#asked < due) {
        this.#asked += 1
        this.#ask(port)
      }
    }, 5)
  }

  /** No more come; resolves when the last one has been answered, or has given up. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const deadline = performance.now() + patience + 5_000
    while (this.#underWay > 0 && performance.now() < deadline) await new Promise((go) => setTimeout(go, 50))
    this.#agent.destroy()
  }

  #ask(port: number): void {
    const at = Date.now()
    const began = performance.now()
    let done = false
    const end = (failure: string | undefined) => {
      if (done) return
      done = true
      this.#underWay -= 1
      this.seen.push({ at, ms: performance.now() - began, failure })
    }
    this.#underWay += 1
    const asked = request(
      {
        host: "127.0.0.1",
        port,
        path: `/items/${this.#asked}`,
        agent: this.#agent,
        signal: AbortSignal.timeout(patience),
      },
      (answer) => {
        answer.resume()
        answer.on("error", (error) => end(error.message))
        answer.on("end", () => end(answer.statusCode === 200 ? undefined : `status ${answer.statusCode}`))
      },
    )
    asked.on("error", (error) => end(error.name === "AbortError" ? "no answer in 10 s" : error.message))
    asked.end()
  }
}
