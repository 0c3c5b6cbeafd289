import type { AppName, ServerName } from "../core/model/ids.ts"
import type { Agent, Observed } from "../ports/agent.ts"
import type { RouterCounters } from "../ports/counters.ts"
import { about, countersAbout } from "../ports/observed.ts"
import type { World } from "./observe.ts"
import { type Parts, sentence } from "./parts.ts"
import { within } from "./within.ts"

/** Questions to one server that may be open at once: one that hangs must not keep the others from being asked. */
const mostOpen = 4
/** Applications that one question is about, so that an answer stays short. */
const mostTogether = 200

/**
 * Looks at the servers for all applications. Whoever asks at the same time is answered by the same call, and each is
 * given its own part: a hundred rollouts under way cost a server little more questions than one.
 */
export class Eyes {
  readonly #parts: Pick<Parts, "agents" | "pace" | "clock">
  /** By agent: a server that joins anew is another one. */
  readonly #seen = new WeakMap<Agent, Together<Observed>>()
  /** Did not answer when last asked: asked again beside, so that the others do not wait for them a second time. */
  readonly #silent = new Map<ServerName, { readonly agent: Agent; isAsked: boolean }>()
  readonly #counted = new WeakMap<Agent, Together<RouterCounters>>()

  constructor(parts: Pick<Parts, "agents" | "pace" | "clock">) {
    this.#parts = parts
  }

  /** What every server says of one application now; asked no earlier than this call. */
  look(app: AppName, signal: AbortSignal): Promise<World> {
    return this.#within(signal, (limit) => this.#look(app, limit, signal))
  }

  async #look(app: AppName, limit: AbortSignal, signal: AbortSignal): Promise<World> {
    const servers = new Map<ServerName, Observed>()
    const problems: Record<ServerName, string> = {}
    await Promise.all(
      [...this.#parts.agents.values()].map(async (agent) => {
        const { server } = agent
        if (this.isSilent(server)) {
          this.#askAgain(server)
          problems[server] = "it does not answer"
          return
        }
        try {
          const asked = () =>
            new Together((apps) => this.#within(undefined, (limit) => agent.observe(apps, limit)), about)
          const seen = await known(this.#seen, agent, asked).ask(app, limit)
          servers.set(server, seen)
          if (seen.routerProblem) problems[server] = `router: ${seen.routerProblem}`
        } catch (error) {
          problems[server] = sentence(error)
          if (!signal.aborted) this.#silent.set(server, { agent, isAsked: false })
        }
      }),
    )
    return { servers, problems }
  }

  /** Whether nobody should wait for it now. One that is alone is always waited for. */
  isSilent(server: ServerName): boolean {
    const known = this.#silent.get(server)
    return (
      known !== undefined && known.agent === this.#parts.agents.get(server) && this.#parts.agents.size > 1
    )
  }

  #askAgain(server: ServerName): void {
    const known = this.#silent.get(server)
    if (!known || known.isAsked) return
    known.isAsked = true
    this.#within(undefined, (limit) => known.agent.observe([], limit)).then(
      () => this.#silent.delete(server),
      () => {
        known.isAsked = false
      },
    )
  }

  /** What a server's router counted for one application. */
  counters(app: AppName, agent: Agent, signal: AbortSignal): Promise<RouterCounters> {
    const asked = () =>
      new Together((apps) => this.#within(undefined, (limit) => agent.counters(apps, limit)), countersAbout)
    return this.#within(signal, (limit) => known(this.#counted, agent, asked).ask(app, limit))
  }

  #within<T>(signal: AbortSignal | undefined, act: (limit: AbortSignal) => Promise<T>): Promise<T> {
    return within(this.#parts.clock, this.#parts.pace.call, signal, act)
  }
}

function known<T>(all: WeakMap<Agent, Together<T>>, agent: Agent, make: () => Together<T>): Together<T> {
  const found = all.get(agent) ?? make()
  all.set(agent, found)
  return found
}

type Asker<T> = {
  readonly answer: Promise<T>
  readonly give: (part: T) => void
  readonly fail: (error: unknown) => void
}

/** Gathers those who ask the same, and asks once for all of them. */
class Together<T> {
  readonly #ask: (apps: readonly AppName[]) => Promise<T>
  readonly #part: (apps: ReadonlySet<AppName>, whole: T) => T
  #waiting = new Map<AppName, Asker<T>>()
  #open = 0
  #gathering = false

  constructor(
    ask: (apps: readonly AppName[]) => Promise<T>,
    part: (apps: ReadonlySet<AppName>, whole: T) => T,
  ) {
    this.#ask = ask
    this.#part = part
  }

  /** The part of an answer to a question that was not yet asked. Rejects when the signal aborts first. */
  ask(app: AppName, signal: AbortSignal): Promise<T> {
    const asker = this.#waiting.get(app) ?? askerOf<T>()
    this.#waiting.set(app, asker)
    if (!this.#gathering) {
      this.#gathering = true
      // Whoever asks in the same moment is in.
      queueMicrotask(() => {
        this.#gathering = false
        this.#send()
      })
    }
    return unlessAborted(asker.answer, signal)
  }

  #send(): void {
    while (this.#waiting.size > 0 && this.#open < mostOpen) {
      const together = [...this.#waiting].slice(0, mostTogether)
      for (const [app] of together) this.#waiting.delete(app)
      this.#open++
      void this.#answer(together).finally(() => {
        this.#open--
        this.#send()
      })
    }
  }

  async #answer(together: readonly (readonly [AppName, Asker<T>])[]): Promise<void> {
    try {
      const whole = await this.#ask(together.map(([app]) => app))
      for (const [app, asker] of together)
        asker.give(together.length === 1 ? whole : this.#part(new Set([app]), whole))
    } catch (error) {
      for (const [, asker] of together) asker.fail(error)
    }
  }
}

function askerOf<T>(): Asker<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  // Nobody may be waiting any more when it fails.
  promise.catch(() => undefined)
  return { answer: promise, give: resolve, fail: reject }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener("abort", stop)
    const done = (): void => signal.removeEventListener("abort", stop)
    promise.then(resolve, reject).finally(done)
  })
}
