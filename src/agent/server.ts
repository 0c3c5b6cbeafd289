import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createSecureServer } from "node:https"
import { connect } from "node:net"
import { join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { TLSSocket } from "node:tls"
import type { Digest } from "../core/model/ids.ts"
import type { Agent } from "../ports/agent.ts"
import type { Fence } from "../ports/router.ts"
import { readBody } from "./read-body.ts"
import { type Credentials, controlName } from "./trust/authority.ts"
import { asInstance, asJob, asRoutes, BadOrder, bodies, parse } from "./wire.ts"

const mostBody = 4 * 1024 * 1024

export const socketPath = (dir: string): string => join(dir, "agent.sock")

export type AgentServer = { readonly close: () => Promise<void> }

/** Offers an agent's verbs on a unix socket that only its owner may open. The folder is this agent's alone. */
export async function serveAgent(
  agent: Agent,
  dir: string,
  shutdown: () => Promise<void>,
): Promise<AgentServer> {
  const path = socketPath(dir)
  await rm(path, { force: true })
  const server = createServer((request, response) => answer(response, () => handle(agent, request, shutdown)))
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
  return { close: () => close(server) }
}

export type RemoteAgentServer = AgentServer & { readonly renew: (credentials: Credentials) => void }

/**
 * Offers the same verbs to the control plane over the network: TLS 1.3, both sides show a certificate of the same
 * authority, and the caller's must be the control plane's own. Another server's is not enough.
 */
export async function serveRemotely(
  agent: Agent,
  credentials: Credentials,
  at: { readonly host: string; readonly port: number },
): Promise<RemoteAgentServer> {
  const nobodyEndsIt = async (): Promise<void> => undefined
  const server = createSecureServer(
    { ...credentials, minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: true },
    (request, response) =>
      answer(response, async () => {
        const caller = (request.socket as TLSSocket).getPeerX509Certificate()
        if (caller?.checkHost(controlName) === undefined)
          throw new BadOrder("only the control plane gives orders here")
        if (request.url === "/v1/shutdown") throw new BadOrder("an agent is ended on its own machine only")
        return handle(agent, request, nobodyEndsIt)
      }),
  )
  server.requestTimeout = 0
  server.headersTimeout = 10_000
  server.maxConnections = 256
  // Whoever has no certificate of ours is told so by TLS itself.
  server.on("tlsClientError", () => undefined)
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(at.port, at.host, resolve)
  })
  return {
    renew: (fresh) => server.setSecureContext({ ...fresh, minVersion: "TLSv1.3" }),
    close: () => close(server),
  }
}

function answer(response: ServerResponse, act: () => Promise<unknown>): void {
  act().then(
    (body) => reply(response, 200, body),
    (error: unknown) =>
      reply(response, error instanceof BadOrder ? 400 : 500, {
        error: error instanceof Error ? error.message : String(error),
      }),
  )
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

async function handle(
  agent: Agent,
  request: IncomingMessage,
  shutdown: () => Promise<void>,
): Promise<unknown> {
  const url = new URL(request.url ?? "/", "http://agent")
  const signal = AbortSignal.timeout(180_000)
  switch (`${request.method} ${url.pathname}`) {
    case "POST /v1/observe":
      return agent.observe(parse(bodies.apps, await readBody(request, mostBody)).apps, signal)
    case "POST /v1/news": {
      const { since, within } = parse(bodies.news, await readBody(request, mostBody))
      return agent.news(since, signal, within)
    }
    case "POST /v1/counters":
      return agent.counters(parse(bodies.apps, await readBody(request, mostBody)).apps, signal)
    case "GET /v1/log": {
      const id = url.searchParams.get("id") ?? ""
      const of = url.searchParams.get("of") === "job" ? { job: id } : { instance: id }
      const chunk = await agent.log(
        of,
        Number(url.searchParams.get("from") ?? 0),
        Number(url.searchParams.get("limit") ?? 65_536),
        signal,
      )
      return { chunk: chunk ?? null }
    }
    case "POST /v1/fence": {
      const { app, epoch } = parse(bodies.fence, await readBody(request, mostBody))
      return agent.fence(app, epoch, signal)
    }
    case "PUT /v1/source": {
      return agent.putSource(fenceIn(url), url.searchParams.get("commit") ?? "", request, signal)
    }
    case "GET /v1/has-artifact":
      return { has: (await agent.hasArtifact?.(digestIn(url), signal)) ?? false }
    case "GET /v1/artifact": {
      const tar = await agent.getArtifact?.(digestIn(url), signal, url.searchParams.has("lean"))
      if (!tar) throw new BadOrder("artifacts of this server do not travel")
      return tar
    }
    case "PUT /v1/artifact": {
      const put = agent.putArtifact
      if (!put) throw new BadOrder("artifacts of other servers are not taken here")
      return put(fenceIn(url), digestIn(url), request, signal)
    }
    case "POST /v1/keep-artifacts": {
      const { fence, keep } = parse(bodies.keepArtifacts, await readBody(request, mostBody))
      if (!agent.keepArtifacts) throw new BadOrder("artifacts of this server are not removed")
      return agent.keepArtifacts(fence, keep as readonly Digest[] | "nothing", signal)
    }
    case "POST /v1/run-job": {
      const { fence, job, url: address } = parse(bodies.runJob, await readBody(request, mostBody))
      return agent.runJob(fence, asJob(job), address, signal)
    }
    case "POST /v1/start-instance": {
      const { fence, instance } = parse(bodies.startInstance, await readBody(request, mostBody))
      return agent.startInstance(fence, asInstance(instance), signal)
    }
    case "POST /v1/stop-instance": {
      const { fence, instance, grace } = parse(bodies.stopInstance, await readBody(request, mostBody))
      return agent.stopInstance(fence, instance, grace, signal)
    }
    case "POST /v1/release-instance": {
      const { fence, instance, drain } = parse(bodies.releaseInstance, await readBody(request, mostBody))
      return agent.releaseInstance(fence, instance, drain, signal)
    }
    case "POST /v1/set-routes": {
      const { fence, routes } = parse(bodies.setRoutes, await readBody(request, mostBody))
      return agent.setRoutes(fence, asRoutes(routes), signal)
    }
    case "POST /v1/shutdown":
      // Answered first: whoever asked must not wait for a process that is ending.
      setTimeout(() => void shutdown(), 10)
      return { kind: "done" }
    default:
      throw new BadOrder(`there is no verb ${request.method} ${url.pathname}`)
  }
}

/** Who writes, where the body is not JSON. */
const fenceIn = ({ searchParams }: URL): Fence =>
  parse(bodies.ofFence, {
    app: searchParams.get("app"),
    epoch: Number(searchParams.get("epoch") ?? Number.NaN),
    generation: Number(searchParams.get("generation") ?? Number.NaN),
  })

const digestIn = (url: URL): Digest => parse(bodies.ofDigest, url.searchParams.get("digest")) as Digest

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) {
    if (body instanceof Readable) body.destroy()
    return
  }
  if (body instanceof Readable) {
    response.writeHead(status, { "content-type": "application/x-tar" })
    pipeline(body, response).catch(() => response.destroy())
    return
  }
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

/** Whether somebody listens at a unix socket. */
export const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
