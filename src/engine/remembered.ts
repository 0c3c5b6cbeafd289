import type { AppName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Clock } from "../ports/clock.ts"
import type { Engine } from "./engine.ts"

/** So long at a time is worked on it without letting others through. */
const atOnce: Duration = 10

/** Something short about every application, worked out anew only for those of which an event was stored since. */
export class Remembered<T> {
  readonly #engine: Pick<Engine, "apps" | "state" | "version">
  readonly #clock: Pick<Clock, "mono" | "sleep">
  readonly #of: (state: Application) => T
  readonly #known = new Map<AppName, { readonly version: number; readonly value: T }>()

  /** `of` must depend on the state alone. */
  constructor(
    engine: Pick<Engine, "apps" | "state" | "version">,
    clock: Pick<Clock, "mono" | "sleep">,
    of: (state: Application) => T,
  ) {
    this.#engine = engine
    this.#clock = clock
    this.#of = of
  }

  /** Of all applications, by name. To open the states of thousands takes seconds, in which the work goes on. */
  async all(): Promise<readonly { readonly app: AppName; readonly value: T }[]> {
    const found: { readonly app: AppName; readonly value: T }[] = []
    let began = this.#clock.mono()
    for (const app of this.#engine.apps()) {
      const version = this.#engine.version(app)
      const known = this.#known.get(app)
      if (known?.version === version) {
        found.push({ app, value: known.value })
        continue
      }
      const state = this.#engine.state(app)
      if (!state) continue
      const value = this.#of(state)
      this.#known.set(app, { version, value })
      found.push({ app, value })
      if (this.#clock.mono() - began < atOnce) continue
      await this.#clock.sleep(0)
      began = this.#clock.mono()
    }
    return found
  }
}
