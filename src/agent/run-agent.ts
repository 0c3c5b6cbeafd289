import { join } from "node:path"
import type { HeldRouter } from "../ports/router.ts"
import type { AgentParts } from "./agent.ts"
import { createAgent } from "./agent.ts"
import { noRouter } from "./no-router.ts"
import { becomeOnlyAgent } from "./only-one.ts"
import { serveAgent, serveRemotely } from "./server.ts"
import type { SeveralRouters } from "./several-routers.ts"
import { shutDown } from "./shut-down.ts"
import { supervise } from "./supervise.ts"
import { type Identity, keepRenewed } from "./trust/identity.ts"

export type RunAgent = Omit<AgentParts, "router"> & {
  /** Absent: this server runs instances, and users come to them through the routers of others. */
  readonly routing?:
    | {
        /** Called by the only agent of its folder: a second one must not come near its routers. */
        readonly open: () => Promise<SeveralRouters>
        readonly dir: string
        /** How to start the router of our own: it lives on when the agent dies. */
        readonly argv: readonly string[]
      }
    | undefined
  /** Absent: only processes of this machine can reach it. */
  readonly identity?: Identity | undefined
}

/** The agent as a process: serves its socket until it is told to end; instances and router live on. */
export async function runAgent(parts: RunAgent): Promise<void> {
  const only = becomeOnlyAgent(parts.dir)
  const ending = new AbortController()
  const routers = await parts.routing?.open()
  const router: HeldRouter = routers ?? noRouter
  const agent = await createAgent({ ...parts, router })
  const ended = new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve()))
  const noMoreRouters = new AbortController()
  const shutdown = async () => {
    const problems = await shutDown({
      instances: agent.lastInstances,
      compute: parts.compute,
      endWatching: async () => {
        noMoreRouters.abort()
        return watching
      },
      routers: async () => (await routers?.pids()) ?? [],
      kill: (pid) => void process.kill(pid, "SIGKILL"),
    })
    for (const problem of problems) process.stderr.write(`${problem}\n`)
    ending.abort()
  }
  const server = await serveAgent(agent, parts.dir, shutdown)
  const { routing, identity, clock, dir } = parts
  const watching = routing
    ? supervise(
        {
          name: "router",
          socket: join(routing.dir, "control.sock"),
          argv: routing.argv,
          logDir: join(dir, "logs"),
        },
        clock,
        AbortSignal.any([ending.signal, noMoreRouters.signal]),
      )
    : undefined
  const remote = identity ? await serveRemotely(agent, identity, addressOf(identity)) : undefined
  const renewing = identity
    ? keepRenewed(dir, identity, clock, ending.signal, {
        renewed: (fresh) => remote?.renew(fresh),
        failed: (because) => process.stderr.write(`the certificate could not be renewed: ${because}\n`),
      })
    : undefined
  process.once("SIGTERM", () => ending.abort())
  process.once("SIGINT", () => ending.abort())
  await ended
  await Promise.all([agent.close(), server.close(), remote?.close(), watching, renewing, router.close()])
  only.release()
}

function addressOf({ address }: Identity): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(":")
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) }
}
