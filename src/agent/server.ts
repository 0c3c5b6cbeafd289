import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import type { Agent } from "../ports/agent.ts"
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
  const server = createServer((request, response) => {
    handle(agent, request, shutdown).then(
      (answer) => reply(response, 200, answer),
      (error: unknown) =>
        reply(response, error instanceof BadOrder ? 400 : 500, {
          error: error instanceof Error ? error.message : String(error),
        }),
    )
  })
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function handle(
  agent: Agent,
  request: IncomingMessage,
  shutdown: () => Promise<void>,
): Promise<unknown> {
  const url = new URL(request.url ?? "/", "http://agent")
  const signal = AbortSignal.timeout(180_000)
  switch (`${request.method} ${url.pathname}`) {
    case "GET /v1/observe":
      return agent.observe(signal)
    case "GET /v1/counters":
      return agent.counters(signal)
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
      const { app, epoch } = parse(bodies.fence, await read(request))
      return agent.fence(app, epoch, signal)
    }
    case "PUT /v1/source": {
      const whole = (key: string) => Number(url.searchParams.get(key))
      const fence = {
        app: url.searchParams.get("app") ?? "",
        epoch: whole("epoch"),
        generation: whole("generation"),
      }
      return agent.putSource(fence, url.searchParams.get("commit") ?? "", request, signal)
    }
    case "POST /v1/run-job": {
      const { fence, job, url: address } = parse(bodies.runJob, await read(request))
      return agent.runJob(fence, asJob(job), address, signal)
    }
    case "POST /v1/start-instance": {
      const { fence, instance } = parse(bodies.startInstance, await read(request))
      return agent.startInstance(fence, asInstance(instance), signal)
    }
    case "POST /v1/stop-instance": {
      const { fence, instance, grace } = parse(bodies.stopInstance, await read(request))
      return agent.stopInstance(fence, instance, grace, signal)
    }
    case "POST /v1/release-instance": {
      const { fence, instance, drain } = parse(bodies.releaseInstance, await read(request))
      return agent.releaseInstance(fence, instance, drain, signal)
    }
    case "POST /v1/set-routes": {
      const { fence, routes } = parse(bodies.setRoutes, await read(request))
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

async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > mostBody) throw new BadOrder(`the order is larger than ${mostBody} bytes`)
    chunks.push(chunk as Buffer)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"))
  } catch {
    throw new BadOrder("the order is not JSON")
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return
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
