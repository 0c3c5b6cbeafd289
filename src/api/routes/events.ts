import type { FastifyInstance } from "fastify"
import type { Journal, StoredEvent } from "../../ports/journal.ts"
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
          `id: ${idOf(stored)}\nevent: ${stored.event.type}\ndata: ${JSON.stringify({ app: stored.stream, ...entryOf(stored) })}\n\n`,
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
    const after = placeIn(String(request.headers["last-event-id"] ?? request.query.after ?? ""))
    try {
      if (after && !(await stillStands(parts.journal, after))) raw.write(await anew(parts.journal))
      else if (after) {
        const missed = await parts.journal.feed(after.sequence, mostBehind, request.query.app)
        if (missed.length === mostBehind) raw.write("event: reset\ndata: {}\n\n")
        for (const stored of missed) write(stored)
      }
    } catch {
      // What was missed cannot be read now: whoever follows comes again, instead of hearing nothing.
      raw.destroy()
      return
    }
    live = true
    for (const stored of waiting) write(stored)
  })
}

type Place = { readonly sequence: number; readonly hash: string }

/** Enough of a hash to tell two histories of one journal apart. */
const shown = 12

/** Numbers are given out again when a journal goes back in time, as by an older backup; with its hash one is no other. */
const idOf = ({ sequence, hash }: Place): string => `${sequence}-${hash.slice(0, shown)}`

/** A number alone names a place in whatever history there is. */
function placeIn(id: string): Place | undefined {
  const [, sequence, hash = ""] = /^(\d{1,15})(?:-([0-9a-f]*))?$/.exec(id) ?? []
  return sequence === undefined ? undefined : { sequence: Number(sequence), hash }
}

/** Whether what was heard last is in the journal still. */
async function stillStands(journal: Journal, { sequence, hash }: Place): Promise<boolean> {
  if (hash === "") return sequence <= (await journal.end())
  const [found] = await journal.feed(sequence - 1, 1)
  return found?.sequence === sequence && found.hash.startsWith(hash)
}

/** Whoever follows must read anew what it knows; it goes on from the newest event. */
async function anew(journal: Journal): Promise<string> {
  const [newest] = await journal.feed((await journal.end()) - 1, 1)
  const because =
    "what was heard last is not in the journal any more: it went back in time. Read everything anew"
  return `id: ${newest ? idOf(newest) : ""}\nevent: reset\ndata: ${JSON.stringify({ because })}\n\n`
}
