import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import { signedIn } from "../access.ts"
import type { Lists } from "../lists.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import { problems } from "../problems.ts"
import { submit } from "./commands.ts"
import {
  type ListQuery,
  listApps,
  readApp,
  readEvidence,
  readRollout,
  readServers,
  readTimeline,
} from "./reads.ts"
import { readFleet } from "./servers.ts"

type InApp = { Params: { app: string } }
const onePage = "50"
type InRollout = { Params: { app: string; n: string } }

/** The pages: rendered here, from the same views as the API; forms work without JavaScript. */
export function pageRoutes(api: FastifyInstance, parts: ApiParts, lists: Lists): void {
  const show = (request: FastifyRequest, reply: FastifyReply, page: string, data: object) =>
    reply
      .type("text/html; charset=utf-8")
      .header("cache-control", "no-store")
      .send(
        parts.pages.render(page, {
          ...data,
          now: parts.clock.now(),
          killed: parts.killSwitch.because(),
          signedIn: signedIn(request, parts.token),
        }),
      )

  api.get<{ Querystring: ListQuery }>("/", async (request, reply) => {
    const { after, q } = request.query
    const query = { limit: onePage, ...(after ? { after } : {}), ...(q ? { q } : {}) }
    const list = await listApps(parts, lists, query)
    return show(request, reply, "apps", { ...list, q: q ?? "" })
  })
  api.get<InApp>("/a/:app", async (request, reply) =>
    show(request, reply, "app", { app: readApp(parts, request.params.app) }),
  )
  api.get<InApp>("/a/:app/timeline", async (request, reply) =>
    show(request, reply, "timeline", {
      app: readApp(parts, request.params.app),
      timeline: await readTimeline(parts, request.params.app, 300),
    }),
  )
  api.get<InApp>("/a/:app/servers", async (request, reply) =>
    show(request, reply, "servers", {
      app: readApp(parts, request.params.app),
      instances: readServers(parts, request.params.app),
      servers: await readFleet(parts, lists),
    }),
  )
  api.get<InRollout>("/a/:app/r/:n", async (request, reply) =>
    show(request, reply, "rollout", {
      rollout: await readRollout(parts, request.params.app, request.params.n),
      app: readApp(parts, request.params.app),
    }),
  )
  api.get<{ Params: { hash: string } }>("/e/:hash", async (request, reply) =>
    show(request, reply, "evidence", {
      hash: request.params.hash,
      evidence: await readEvidence(parts, request.params.hash),
    }),
  )
  api.get("/docs/problems", async (request, reply) =>
    show(request, reply, "problems", {
      problems: Object.entries(problems).map(([code, told]) => ({ code, ...told })),
    }),
  )
  api.get<{ Params: { name: string } }>("/assets/:name", async (request, reply) => {
    const asset = parts.pages.asset(request.params.name)
    if (!asset) throw new ApiError("not-found", "there is no such file")
    return reply.type(asset.type).header("cache-control", "no-cache").send(asset.body)
  })
  // A form is a command with a page for an answer. The guard of every change has checked token and origin already.
  api.post<{ Params: { app: string; verb: string }; Body: Record<string, string> }>(
    "/a/:app/do/:verb",
    async (request, reply) => {
      const {
        rollout,
        lock,
        reason = "",
        region = "",
        digest,
        evidence,
        preventive,
        path = "",
      } = request.body
      const number = Number(rollout)
      const { app, verb } = request.params
      switch (verb) {
        case "approve":
          await submit(parts, request, app, {
            type: "approve",
            rollout: number,
            reason,
            bound: {
              digest: digest ? (digest as `sha256:${string}`) : undefined,
              evidence: evidence || undefined,
            },
          })
          break
        case "accept-answers":
        case "withdraw-answers":
          await submit(parts, request, app, { type: verb, rollout: number, paths: [path], reason })
          break
        case "reject":
        case "halt":
        case "rollback":
        case "retry":
          await submit(parts, request, app, { type: verb, rollout: number, reason })
          break
        case "resume":
          await submit(parts, request, app, { type: "resume", rollout: rollout ? number : undefined, reason })
          break
        case "drill":
          await submit(parts, request, app, { type: "drill", region: region || undefined, reason })
          break
        case "release-pools":
          await submit(parts, request, app, { type: "release-pools", region, reason })
          break
        case "remove":
          await submit(parts, request, app, { type: "remove-app", reason })
          break
        case "pause":
          await submit(parts, request, app, { type: "pause", reason })
          break
        case "unlock":
          await submit(parts, request, app, {
            type: "unlock",
            lock: Number(lock),
            reason,
            preventive: preventive || undefined,
          })
          break
        default:
          throw new ApiError("not-found", `there is no order ${verb.slice(0, 40)}`)
      }
      return reply.redirect(rollout ? `/a/${app}/r/${number}` : `/a/${app}`, 303)
    },
  )
}
