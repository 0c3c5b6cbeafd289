import { join } from "node:path"
import type { AgentParts } from "./agent.ts"
import { createAgent } from "./agent.ts"
import { becomeOnlyAgent } from "./only-one.ts"
import { serveAgent } from "./server.ts"
import type { SeveralRouters } from "./several-routers.ts"
import { supervise } from "./supervise.ts"

export type RunAgent = Omit<AgentParts, "router"> & {
  /** Called by the only agent of its folder: a second one must not come near its routers. */
  readonly openRouters: () => Promise<SeveralRouters>
  readonly routerDir: string
  /** How to start the router of our own: it lives on when the agent dies. */
  readonly routerArgv: readonly string[]
}

/** The agent as a process: serves its socket until it is told to end; instances and router live on. */
export async function runAgent(parts: RunAgent): Promise<void> {
  const only = becomeOnlyAgent(parts.dir)
  const ending = new AbortController()
  const router = await parts.openRouters()
  const agent = await createAgent({ ...parts, router })
  const ended = new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve()))
  const shutdown = async () => {
    for (const id of await agent.instanceIds()) {
      await parts.compute.stop(id, 2_000, AbortSignal.timeout(10_000))
      await parts.compute.forget(id)
    }
    const pids = await router.pids()
    ending.abort()
    await router.close()
    for (const pid of pids) process.kill(pid, "SIGKILL")
  }
  const server = await serveAgent(agent, parts.dir, shutdown)
  const watching = supervise(
    {
      name: "router",
      socket: join(parts.routerDir, "control.sock"),
      argv: parts.routerArgv,
      logDir: join(parts.dir, "logs"),
    },
    parts.clock,
    ending.signal,
  )
  process.once("SIGTERM", () => ending.abort())
  process.once("SIGINT", () => ending.abort())
  await ended
  await Promise.all([agent.close(), server.close(), watching, router.close()])
  only.release()
}
