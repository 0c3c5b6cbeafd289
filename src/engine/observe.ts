import type { RoomSeen } from "../core/model/capacity.ts"
import type { InstanceId, ServerName } from "../core/model/ids.ts"
import { laterThan } from "../core/pipeline/ahead.ts"
import type { Application } from "../core/pipeline/application.ts"
import { awaitedJobs } from "../core/pipeline/facts.ts"
import type { Fact, ServerFacts, ServerStanding } from "../core/pipeline/input.ts"
import type { Agent, Observed } from "../ports/agent.ts"

/** What every server says of one application now; one that did not answer is absent and its problem is told. */
export type World = {
  readonly servers: ReadonlyMap<ServerName, Observed>
  readonly problems: Readonly<Record<ServerName, string>>
}

/** The part of the world that one application cares about, as facts for the core. */
export function factsFor(
  app: Application,
  world: World,
  agents: ReadonlyMap<ServerName, Pick<Agent, "instancesOnly">>,
  standings: readonly ServerStanding[],
): readonly Fact[] {
  const letGo = released(world, agents)
  const servers = [...world.servers.values()].map((seen): ServerFacts => {
    const table = seen.router?.apps[app.app]
    const routes =
      seen.router &&
      Object.fromEntries(
        (table?.routes ?? []).map((route) => [
          route.route,
          Object.fromEntries(route.pools.map((pool) => [pool.pool, pool.weight])),
        ]),
      )
    return {
      server: seen.server,
      instances: seen.instances
        .filter((instance) => instance.app === app.app)
        .map(({ id, state, address, exit, differences }) => ({
          instance: id,
          state,
          address,
          exit,
          differences,
        })),
      jobs: seen.jobs.flatMap(({ id, app: owner }) => (owner === app.app ? [id] : [])),
      routes,
      released: agents.get(seen.server)?.instancesOnly ? letGo : (seen.router?.released ?? []),
    }
  })
  const observed: Fact = { type: "observed", servers, standings, letGo }
  // What a job came to might begin a rollout, under the very number that shows this journal to be of an earlier time.
  if (laterThan(app, servers).length > 0) return [observed]
  const awaited = awaitedJobs(app)
  const jobs = [...world.servers.values()].flatMap((seen) =>
    seen.jobs.flatMap(({ id, app: owner, outcome }): readonly Fact[] =>
      owner === app.app && outcome && awaited.has(id) ? [{ type: "job-ended", job: id, outcome }] : [],
    ),
  )
  return [...jobs, observed]
}

/** What the servers say of their room, and what was refused for lack of it. */
export function roomIn(world: World, refused: ReadonlyMap<InstanceId, string>): RoomSeen {
  const seen = [...world.servers.values()]
  return {
    servers: Object.fromEntries(
      seen.flatMap(({ server, capacity }) => (capacity ? [[server, capacity] as const] : [])),
    ),
    memoryOf: Object.fromEntries(
      seen.flatMap(({ instances }) =>
        instances.flatMap(({ id, memory }) => (memory === undefined ? [] : [[id, memory] as const])),
      ),
    ),
    refused: Object.fromEntries(refused),
  }
}

/** What no router sends anybody to any more; nothing while one of them does not answer. */
export function released(
  world: World,
  agents: ReadonlyMap<ServerName, Pick<Agent, "instancesOnly">>,
): readonly string[] {
  const routers = [...agents].filter(([, { instancesOnly }]) => !instancesOnly)
  const [first, ...others] = routers.map(([server]) => world.servers.get(server)?.router?.released ?? [])
  if (others.length === 0) return first ?? []
  return (first ?? []).filter((id) => others.every((known) => known.includes(id)))
}
