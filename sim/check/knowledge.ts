import type { Observed } from "../../src/ports/agent.ts"

type State = Observed["instances"][number]["state"]

/** What a control plane was told of the instances, and since when it is told the same. */
export class Knowledge {
  readonly #told = new Map<string, { readonly app: string; readonly state: State; readonly since: number }>()

  /** `apps`: those that were asked about; nothing is said of others. */
  take(apps: readonly string[], observed: Observed, now: number): void {
    const seen = new Set(observed.instances.map(({ id }) => id))
    for (const [id, { app }] of [...this.#told])
      if (apps.includes(app) && !seen.has(id)) this.#told.delete(id)
    for (const { id, app, state } of observed.instances)
      if (this.#told.get(id)?.state !== state) this.#told.set(id, { app, state, since: now })
  }

  /** What it was told of it before that moment and ever since; undefined when it was told something else. */
  knows(id: string, before: number): State | undefined {
    const told = this.#told.get(id)
    return told && told.since <= before ? told.state : undefined
  }
}
