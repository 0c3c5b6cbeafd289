import { Agent, request } from "node:http"

/** One answer, as the user who asked saw it; times by the clock of the machine. */
type Answered = { readonly at: number; readonly release: string | undefined; readonly ok: boolean }

/** A few users who ask one after the other without end. */
export class Users {
  readonly answers: Answered[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })
  readonly #running: Promise<unknown>
  #over = false

  constructor(port: number) {
    this.#running = Promise.all(Array.from({ length: 8 }, () => this.#user(port)))
  }

  async leave(): Promise<void> {
    this.#over = true
    await this.#running
    this.#agent.destroy()
  }

  async #user(port: number): Promise<void> {
    while (!this.#over) {
      this.answers.push(await this.#ask(port))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  #ask(port: number): Promise<Answered> {
    return new Promise((resolve) => {
      const failed = () => resolve({ at: Date.now(), release: undefined, ok: false })
      const asked = request(
        { port, host: "127.0.0.1", path: "/items", agent: this.#agent, timeout: 10_000 },
        (answer) => {
          const release = answer.headers["x-release"]
          answer.resume()
          answer.on("error", failed)
          answer.on("end", () =>
            // Papi itself fails once in a thousand; only answers of nobody count against the switching.
            resolve({ at: Date.now(), release: String(release), ok: typeof release === "string" }),
          )
        },
      )
      asked.on("timeout", () => asked.destroy())
      asked.on("error", failed)
      asked.end()
    })
  }
}
