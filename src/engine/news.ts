import type { AppName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Agent } from "../ports/agent.ts"
import { type Parts, sentence } from "./parts.ts"
import { within } from "./within.ts"

export type NewsPace = {
  /** For so long an agent may wait for something to tell, in milliseconds. */
  readonly within: () => Duration
  /** Waits until the next question may be asked; told for how long the last one was open, and whether it told anything. */
  readonly pause: (took: Duration, anything: boolean) => Promise<void>
}

/** Hears from all servers, those that join and leave meanwhile included. */
export async function hearAllNews(
  parts: Pick<Parts, "agents" | "clock" | "log" | "pace">,
  pace: NewsPace,
  tell: (changed: readonly AppName[] | "all") => void,
  signal: AbortSignal,
): Promise<void> {
  const heard = new Map<string, { readonly agent: Agent; readonly stop: AbortController }>()
  for (let first = true; !signal.aborted; first = false) {
    for (const [server, { agent, stop }] of heard) {
      if (parts.agents.get(server) === agent) continue
      stop.abort()
      heard.delete(server)
      tell("all")
    }
    for (const [server, agent] of parts.agents) {
      if (heard.has(server)) continue
      const stop = new AbortController()
      heard.set(server, { agent, stop })
      void hearNews(parts, agent, pace, tell, AbortSignal.any([signal, stop.signal]))
      if (!first) tell("all")
    }
    await parts.clock.sleep(parts.pace.idle, signal)
  }
}

/**
 * Hears from one server which applications have changed there, until the signal. `all` when nobody can say: at a server
 * that begins or ceases to answer.
 */
async function hearNews(
  parts: Pick<Parts, "clock" | "log" | "pace">,
  agent: Agent,
  { within: longest, pause }: NewsPace,
  tell: (changed: readonly AppName[] | "all") => void,
  signal: AbortSignal,
): Promise<void> {
  let mark: string | undefined
  let answers = true
  while (!signal.aborted) {
    const asked = parts.clock.mono()
    let anything = false
    try {
      const limit = longest()
      const news = await within(parts.clock, parts.pace.call + limit, signal, (until) =>
        agent.news(mark, until, limit),
      )
      anything = news.changed.length > 0
      if (!answers) tell("all")
      else if (news.changed.length > 0) tell(news.changed)
      mark = news.mark
      answers = true
    } catch (error) {
      if (signal.aborted) return
      if (answers) {
        parts.log.warn({ server: agent.server }, sentence(error))
        tell("all")
      }
      answers = false
    }
    await pause(parts.clock.mono() - asked, anything)
  }
}
