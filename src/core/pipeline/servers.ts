import type { ServerName } from "../model/ids.ts"
import type { Duration } from "../model/time.ts"
import type { Application, Instance, Left, Region } from "./application.ts"
import type { Draft } from "./draft.ts"
import type { ServerStanding } from "./input.ts"

/** Silent for so long a server counts as lost: unknown, not dead, and what it should carry is started elsewhere. */
export const lostAfter: Duration = 10_000

/** Takes in which servers are silent and which a person wants left; a server that is not named is well. */
export function followServers(draft: Draft, standings: readonly ServerStanding[]): readonly ServerName[] {
  if (standings.length === 0 && allWell(draft.state)) return []
  const named = new Map(standings.map((standing) => [standing.server, standing]))
  const back: ServerName[] = []
  for (const server of serversOf(draft.state)) {
    const standing = named.get(server)
    const before = draft.state.left?.[server]
    const now: Left = { lost: lostBecause(standing, before), drained: standing?.drained }
    if (now.lost === before?.lost && now.drained === before?.drained) continue
    const because =
      now.lost ?? (now.drained === undefined ? "it answers, and is wanted" : `drained: ${now.drained}`)
    draft.conclude({ type: "server-left", server, ...now }, because)
    if (now.lost === undefined && now.drained === undefined) back.push(server)
  }
  return back
}

function lostBecause(standing: ServerStanding | undefined, before: Left | undefined): string | undefined {
  if (standing?.silent === undefined) return undefined
  // Whoever begins to look has seen no silence yet; only an answer ends it.
  if (before?.lost !== undefined) return before.lost
  return standing.silent.forMs >= lostAfter ? standing.silent.because : undefined
}

/** Those that its regions name, and those where something of it runs. */
function serversOf(app: Application): ReadonlySet<ServerName> {
  return new Set(
    app.regions.flatMap((region) => [
      ...region.policy.servers,
      ...Object.values(region.instances).map(({ server }) => server),
      ...[region.active, region.stable].flatMap((pool) => {
        const policy = pool === undefined ? undefined : app.rollouts[pool]?.policy
        return policy?.regions.find(({ name }) => name === region.name)?.servers ?? []
      }),
    ]),
  )
}

/** As nearly always: no server is lost, and none is left. */
export const allWell = ({ left }: Application): boolean =>
  left === undefined || Object.keys(left).length === 0

/** Does not answer: what runs there may serve still, may be gone, and cannot be ended. */
export const isLost = (app: Application, server: ServerName): boolean =>
  app.left?.[server]?.lost !== undefined

/** Nothing new is placed there, and what is there is to be replaced elsewhere. */
export const isLeft = (app: Application, server: ServerName): boolean => app.left?.[server] !== undefined

/** Out of the route for good, and only waits for its server to come back and be told. */
export const waitsForItsServer = (app: Application, instance: Instance): boolean =>
  instance.retired !== undefined && instance.released && isLost(app, instance.server)

/** Where the next instance of a pool goes: where it has fewest, then where the region has fewest. */
export function placeFor(
  app: Application,
  region: Region,
  pool: number,
  servers: readonly ServerName[],
): ServerName | undefined {
  const live = Object.values(region.instances).filter(({ retired }) => !retired)
  const used = (server: ServerName) => {
    const here = live.filter((instance) => instance.server === server)
    return here.filter((instance) => instance.pool === pool).length * 10_000 + here.length
  }
  const usable = servers.filter((server) => !isLeft(app, server))
  return usable.reduce<ServerName | undefined>(
    (best, server) => (best === undefined || used(server) < used(best) ? server : best),
    undefined,
  )
}
