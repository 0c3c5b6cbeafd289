import type { FastifyInstance } from "fastify"
import type { Capacity } from "../../core/model/capacity.ts"
import { actorOf } from "../access.ts"
import { Invite, Reason } from "../contract/commands.ts"
import type { InvitationView, ServerView } from "../contract/views.ts"
import type { Lists } from "../lists.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import { outdated } from "../views/outdated.ts"
import { check } from "./commands.ts"

const patience = 1_500
type OfServer = { Params: { server: string } }

/** The servers, whatever runs on them: who may join, who is left, who is there. */
export function serverRoutes(api: FastifyInstance, parts: ApiParts, lists: Lists): void {
  api.get("/v1/servers", async (): Promise<readonly ServerView[]> => readFleet(parts, lists))
  api.post("/v1/servers/invitations", async (request): Promise<InvitationView> => {
    const { server, minutes = 60 } = check(Invite, request.body)
    if (parts.agents.has(server) && !parts.fleet.joined().some((one) => one.server === server))
      throw new ApiError("name-taken", `${server} is this control plane's own server; choose another name`)
    try {
      return parts.fleet.invite(server, actorOf(request), minutes * 60_000)
    } catch (error) {
      throw new ApiError("no-door", error instanceof Error ? error.message : String(error))
    }
  })
  api.post<OfServer>("/v1/servers/:server/drain", async (request) => {
    const { reason } = check(Reason, request.body)
    parts.fleet.drain(knownServer(parts, request.params.server), actorOf(request), reason)
    return { ok: true }
  })
  api.post<OfServer>("/v1/servers/:server/undrain", async (request) => {
    parts.fleet.undrain(knownServer(parts, request.params.server))
    return { ok: true }
  })
  api.post<OfServer>("/v1/servers/:server/remove", async (request) => {
    check(Reason, request.body)
    const { server } = request.params
    if (parts.fleet.remove(server)) return { ok: true }
    throw new ApiError("unknown-server", `no server called ${server.slice(0, 60)} has joined`)
  })
}

function roomInWords({ instances, memory, cpus }: Capacity): string | undefined {
  const gb = (bytes: number) => `${Math.round(bytes / 1024 ** 2).toLocaleString("en")} MB`
  const said = [
    instances && `${instances.free} of ${instances.total} instances`,
    memory && `${gb(memory.free)} of ${gb(memory.total)}`,
    cpus && `${Math.round(cpus.free * 10) / 10} of ${cpus.total} processors`,
  ].filter((part) => part !== undefined)
  return said.length > 0 ? said.join(", ") : undefined
}

function knownServer({ agents }: ApiParts, server: string): string {
  if (agents.has(server)) return server
  throw new ApiError(
    "unknown-server",
    `there is no server ${server.slice(0, 60)}; there are ${[...agents.keys()].join(", ")}`,
  )
}

/** Asked now, all at once; one that does not answer in time is said to be silent, not gone. */
export async function readFleet(parts: ApiParts, lists: Lists): Promise<readonly ServerView[]> {
  const all = await lists.all()
  const joined = new Map(parts.fleet.joined().map((one) => [one.server, one]))
  return Promise.all(
    [...parts.agents.values()].map(async (agent): Promise<ServerView> => {
      const { server } = agent
      const known = joined.get(server)
      const seen = await agent.observe([], AbortSignal.timeout(patience)).catch((error: unknown) => ({
        problem: error instanceof Error ? error.message : String(error),
      }))
      const answers = "instances" in seen
      return {
        server,
        address: known?.address,
        answers,
        problem: answers ? seen.routerProblem : seen.problem,
        version: answers ? seen.version : undefined,
        outdated: answers ? outdated(seen, parts.program, known === undefined) : undefined,
        room: answers && seen.capacity ? roomInWords(seen.capacity) : undefined,
        routes: agent.instancesOnly !== true,
        drained: parts.fleet.drained(server),
        certificateUntil: known?.expiresAt,
        instances: all.flatMap(({ value }) => value.instances.get(server) ?? []),
      }
    }),
  )
}
