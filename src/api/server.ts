import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify"
import { authorise, pushToken, sameOrigin, signedIn } from "./access.ts"
import type { Problem } from "./contract/views.ts"
import { listsOf } from "./lists.ts"
import { ApiError, type ApiParts } from "./parts.ts"
import { addressOf, type ProblemCode, problems } from "./problems.ts"
import { commandRoutes } from "./routes/commands.ts"
import { eventRoutes } from "./routes/events.ts"
import { killSwitchRoutes } from "./routes/kill-switch.ts"
import { loginRoute } from "./routes/login.ts"
import { measurementRoute } from "./routes/measurements.ts"
import { openapiRoute } from "./routes/openapi.ts"
import { pageRoutes } from "./routes/pages.ts"
import { readRoutes } from "./routes/reads.ts"
import { serverRoutes } from "./routes/servers.ts"

export async function createApi(parts: ApiParts): Promise<FastifyInstance> {
  const api = Fastify({
    bodyLimit: 1024 * 1024,
    trustProxy: false,
    forceCloseConnections: true,
    // What is wrong with an address itself comes past every hook.
    frameworkErrors: (error, request, reply) => {
      guarded(reply)
      answerError(parts, error, request, reply)
    },
  })
  // Read as text it would only be said not to be an object.
  api.removeContentTypeParser("text/plain")
  api.setErrorHandler((error: Error & { statusCode?: number }, request, reply) =>
    answerError(parts, error, request, reply),
  )
  api.setNotFoundHandler((request, reply) =>
    problem(parts, request, reply, 404, "not-found", `there is nothing at ${request.url.slice(0, 200)}`),
  )
  api.addContentTypeParser(
    "application/x-www-form-urlencoded",
    { parseAs: "string" },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
  // A client takes "there is no such application" for an answer, not for a question of time.
  api.addHook("onRequest", async () => {
    await parts.ready
  })
  api.addHook("onSend", async (_request, reply) => guarded(reply))
  // One guard for every method that changes something; a route cannot forget it.
  api.addHook("preHandler", async (request) => {
    if (request.method === "GET" || request.method === "HEAD") return
    if (request.url.startsWith("/webhooks/")) return
    sameOrigin(request)
    if (request.url === "/login") return
    const pushes = request.routeOptions.url === "/v1/apps/:app/measurements"
    authorise(request, parts.token, ...(pushes ? [pushToken(parts.token)] : []))
  })
  const lists = listsOf(parts)
  readRoutes(api, parts, lists)
  commandRoutes(api, parts)
  serverRoutes(api, parts, lists)
  killSwitchRoutes(api, parts)
  measurementRoute(api, parts)
  eventRoutes(api, parts)
  openapiRoute(api)
  pageRoutes(api, parts, lists)
  loginRoute(api, parts)
  await api.ready()
  return api
}

/** What a browser may do with any answer. */
function guarded(reply: FastifyReply): void {
  reply.header("x-content-type-options", "nosniff")
  reply.header("referrer-policy", "no-referrer")
  reply.header("x-frame-options", "DENY")
  reply.header(
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  )
}

function answerError(
  parts: ApiParts,
  error: Error & { statusCode?: number },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error instanceof ApiError)
    return problem(parts, request, reply, error.status, error.code, error.message)
  const status = error.statusCode ?? 500
  if (status >= 500) parts.log.warn({ url: request.url }, error.message)
  return problem(
    parts,
    request,
    reply,
    status,
    codeOf(status),
    status >= 500 ? "Immunity failed here; its log says more" : error.message,
  )
}

/** Of what Fastify itself refuses. */
function codeOf(status: number): ProblemCode {
  if (status >= 500) return "internal"
  if (status === problems["too-large"].status) return "too-large"
  return status === problems["wrong-type"].status ? "wrong-type" : "bad-request"
}

/** A page for whoever reads pages, RFC 9457's document for everybody else. */
function problem(
  { clock, killSwitch, pages, token }: ApiParts,
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  code: ProblemCode,
  detail: string,
): FastifyReply {
  const reads = request.headers.accept?.includes("text/html") && !request.url.startsWith("/v1/")
  if (reads) {
    const frame = { now: clock.now(), killed: killSwitch.because(), signedIn: signedIn(request, token) }
    return reply
      .code(status)
      .type("text/html; charset=utf-8")
      .header("cache-control", "no-store")
      .send(pages.render("problem", { ...frame, status, detail, more: addressOf(code) }))
  }
  const body: Problem = {
    type: addressOf(code),
    title: code.replaceAll("-", " "),
    status,
    detail,
    code,
  }
  return reply.code(status).type("application/problem+json").send(JSON.stringify(body))
}
