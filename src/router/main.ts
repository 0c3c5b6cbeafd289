import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import { DataPlane } from "./data-plane.ts"
import { loadState } from "./state-file.ts"
import type { RouteTable } from "./table.ts"

const mostBody = 8 * 1024 * 1024

/** The router's process: serves from its own file, obeys its control socket, and needs nothing else. */
export async function runRouter({ dir }: { readonly dir: string }): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const control = join(dir, "control.sock")
  if (existsSync(control) && (await answers(control))) {
    throw new Error(
      `another router answers at ${control}; stop it first, or give this one a --dir of its own`,
    )
  }
  const { state, degraded } = loadState(dir)
  const plane = new DataPlane(dir, state)
  const began = Date.now()
  if (degraded) say("error", degraded)
  for (const problem of await plane.boot()) say("error", problem)
  const servers = [
    await onSocket(control, (request) => obey(plane, request, { began, degraded })),
    // Apart from control on purpose: losing sight must not mean losing hold.
    await onSocket(join(dir, "stats.sock"), async () => plane.counters.snapshot(Date.now())),
  ]
  writeFileSync(join(dir, "router.pid"), `${process.pid}\n`)
  say("info", "the router serves")
  const end = () => {
    say("info", "the router ends: no new requests")
    void plane.drain(10_000).then(() => {
      for (const server of servers) server.close()
      process.exit(0)
    })
  }
  process.once("SIGTERM", end)
  process.once("SIGINT", end)
}

async function obey(
  plane: DataPlane,
  request: IncomingMessage,
  self: { readonly began: number; readonly degraded: string | undefined },
): Promise<unknown> {
  switch (`${request.method} ${request.url}`) {
    case "GET /state":
      return {
        pid: process.pid,
        startedAt: self.began,
        apps: plane.state.apps,
        listeners: plane.listeners(),
        inFlight: plane.upstreams.inFlightAll(),
        released: plane.state.released,
        degraded: self.degraded,
      }
    case "POST /fence": {
      const { app, epoch } = (await read(request)) as { app: string; epoch: number }
      return plane.fence(app, epoch)
    }
    case "PUT /table": {
      const { app, epoch, generation, routes } = (await read(request)) as {
        app: string
        epoch: number
        generation: number
        routes: RouteTable[]
      }
      return plane.setRoutes(app, epoch, generation, routes)
    }
    case "POST /release": {
      const { app, epoch, instance, drain } = (await read(request)) as {
        app: string
        epoch: number
        instance: string
        drain: number
      }
      return plane.release(app, epoch, instance, drain)
    }
    default:
      throw new Error(`there is no verb ${request.method} ${request.url}`)
  }
}

function onSocket(path: string, answer: (request: IncomingMessage) => Promise<unknown>): Promise<Server> {
  rmSync(path, { force: true })
  const server = createServer((request, response) => {
    answer(request).then(
      (value) => reply(response, 200, value),
      (error: unknown) =>
        reply(response, 400, { error: error instanceof Error ? error.message : String(error) }),
    )
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(path, () => resolve(server))
  })
}

async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > mostBody) throw new Error(`larger than ${mostBody} bytes`)
    chunks.push(chunk as Buffer)
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"))
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(value))
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

function say(level: "info" | "error", msg: string): void {
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), pid: process.pid, msg })}\n`)
}
