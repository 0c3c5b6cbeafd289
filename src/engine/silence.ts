import type { ServerName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { ServerStanding } from "../core/pipeline/input.ts"
import type { World } from "./observe.ts"
import type { Parts } from "./parts.ts"

/** Remembers since when each server has not answered. */
export class Silence {
  /** None for most: ten thousand empty maps would be a megabyte and a half. */
  #since: Map<ServerName, Duration> | undefined
  readonly #parts: Pick<Parts, "agents" | "clock" | "drained">

  constructor(parts: Pick<Parts, "agents" | "clock" | "drained">) {
    this.#parts = parts
  }

  /** Which servers are silent, were never there, or shall be left. */
  standings(app: Application, world: World): readonly ServerStanding[] {
    const { agents, clock, drained } = this.#parts
    const now = clock.mono()
    const named = app.regions.flatMap((region) => [
      ...region.policy.servers,
      ...Object.values(region.instances).map(({ server }) => server),
    ])
    const standings: ServerStanding[] = []
    for (const server of new Set([...agents.keys(), ...named])) {
      if (world.servers.has(server)) this.#since?.delete(server)
      else if (!this.#since?.has(server)) {
        this.#since ??= new Map()
        this.#since.set(server, now)
      }
      const since = this.#since?.get(server)
      const silent =
        since === undefined
          ? undefined
          : agents.has(server)
            ? {
                forMs: now - since,
                because: `${server} does not answer: ${world.problems[server] ?? "no word from it"}`,
              }
            : { forMs: Number.POSITIVE_INFINITY, because: `no server called ${server} has joined` }
      const why = drained?.(server)
      if (silent !== undefined || why !== undefined) standings.push({ server, silent, drained: why })
    }
    return standings
  }
}
