import type { FastifyInstance } from "fastify"
import { sameText } from "../access.ts"
import { ApiError, type ApiParts } from "../parts.ts"

/** Signing in trades the server's token for a cookie that only this site sends. */
export function loginRoute(api: FastifyInstance, parts: ApiParts): void {
  api.get<{ Querystring: { to?: string } }>("/login", async (request, reply) =>
    reply.type("text/html; charset=utf-8").send(
      parts.pages.render("login", {
        to: local(request.query.to),
        now: parts.clock.now(),
        killed: [],
        signedIn: false,
      }),
    ),
  )
  api.post<{ Body: { token?: string; to?: string } }>("/login", async (request, reply) => {
    const { token = "", to } = request.body ?? {}
    if (!sameText(token.trim(), parts.token)) {
      throw new ApiError(
        "wrong-token",
        "this token is not valid; it stands in the file `token` of the server's data folder",
      )
    }
    reply.header("set-cookie", `immunity=${parts.token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200`)
    return reply.redirect(local(to), 303)
  })
}

/** Only paths of our own are worth going to after signing in. */
const local = (to: string | undefined): string => (to && /^\/(?!\/)[\w/.-]*$/.test(to) ? to : "/")
