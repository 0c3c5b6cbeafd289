import { request } from "node:http"
import type { HealthPolicy } from "../core/model/policy.ts"
import type { Clock } from "../ports/clock.ts"

export type Health = {
  readonly ready: boolean
  readonly everReady: boolean
  readonly said: string | undefined
}

/** Asks one instance for its health, again and again, with patience both ways. */
export class Probe {
  health: Health = { ready: false, everReady: false, said: undefined }
  readonly #stop = new AbortController()

  /** `changed` is called whenever it becomes ready, or is so no more. */
  constructor(address: string, policy: HealthPolicy, clock: Clock, changed: () => void) {
    void this.#run(address, policy, clock, changed)
  }

  stop(): void {
    this.#stop.abort()
  }

  async #run(address: string, policy: HealthPolicy, clock: Clock, changed: () => void): Promise<void> {
    let good = 0
    let bad = 0
    while (!this.#stop.signal.aborted) {
      const problem = await ask(address, policy, this.#stop.signal)
      good = problem === undefined ? good + 1 : 0
      bad = problem === undefined ? 0 : bad + 1
      const ready = this.health.ready ? bad < policy.unhealthy : good >= policy.healthy
      const isNews = ready !== this.health.ready
      this.health = { ready, everReady: this.health.everReady || ready, said: problem }
      if (isNews) changed()
      // A new instance is asked often: the sooner it is known to be well, the sooner it serves.
      const pause = this.health.everReady ? policy.every : Math.min(policy.every, 100)
      await clock.sleep(pause, this.#stop.signal)
    }
  }
}

/** What is wrong, in a few words; undefined when it is well. */
function ask(address: string, policy: HealthPolicy, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const at = address.lastIndexOf(":")
    const [host, port] = [address.slice(0, at).replace(/^\[|\]$/g, ""), address.slice(at + 1)]
    const asked = request(
      {
        host,
        port,
        path: policy.path,
        timeout: policy.timeout,
        signal,
        agent: false,
        headers: { "user-agent": "immunity-probe" },
      },
      (answer) => {
        answer.resume()
        const status = answer.statusCode ?? 0
        answer.on("end", () =>
          resolve(status >= 200 && status < 400 ? undefined : `${policy.path} answers ${status}`),
        )
        answer.on("error", (error) => resolve(error.message))
      },
    )
    asked.on("timeout", () =>
      asked.destroy(new Error(`${policy.path} does not answer within ${policy.timeout} ms`)),
    )
    asked.on("error", (error) => resolve(error.message))
    asked.end()
  })
}
