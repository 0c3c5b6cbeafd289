import type { FastifyInstance } from "fastify"
import type { StoredEvent } from "../../ports/journal.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import { entryOf } from "../views/rollout-view.ts"

const heartbeatEvery = 15_000
const mostBehind = 1_000
const mostClients = 200

/** One stream of everything that happens, resumable by `Last-Event-ID`; a slow reader is let go, never waited for. */
export function eventRoutes(api: FastifyInstance, parts: ApiParts): void {
  let clients = 0
  api.get<{ Querystring: { app?: string; after?: string } }>("/v1/events", async (request, reply) => {
    if (clients >= mostClients) {
      reply.header("retry-after", "5")
      throw new ApiError("too-many-listeners", `${mostClients} follow what happens already`)
    }
    clients++
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    })
    raw.write("retry: 2000\n\n")
    let sent = 0
    const write = (stored: StoredEvent) => {
      if (stored.sequence <= sent || (request.query.app && stored.stream !== request.query.app)) return
      sent = stored.sequence
      if (raw.writableLength > 1_000_000) raw.destroy()
      else
        raw.write(
          `id: ${stored.sequence}\nevent: ${stored.event.type}\ndata: ${JSON.stringify({ app: stored.stream, ...entryOf(stored) })}\n\n`,
        )
    }
    // What arrives while the past is read waits, so that nothing is skipped between the two.
    const waiting: StoredEvent[] = []
    let live = false
    const stop = parts.engine.listen((stored) => (live ? write(stored) : waiting.push(stored)))
    const beat = setInterval(() => raw.write(": still here\n\n"), heartbeatEvery)
    raw.on("close", () => {
      clients--
      clearInterval(beat)
      stop()
    })
    const after = Number(request.headers["last-event-id"] ?? request.query.after ?? Number.NaN)
    if (Number.isFinite(after)) {
      const missed = await parts.journal.feed(after, mostBehind, request.query.app)
      if (missed.length === mostBehind) raw.write("event: reset\ndata: {}\n\n")
      for (const stored of missed) write(stored)
    }
    live = true
    for (const stored of waiting) write(stored)
  })
}
