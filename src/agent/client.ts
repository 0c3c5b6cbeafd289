import { type ClientRequest, request as plainRequest, type RequestOptions } from "node:http"
import { Agent as SecureConnections, request as secureRequest } from "node:https"
import type { Readable } from "node:stream"
import type { Agent, LogChunk, News, Observed, Ordered, Pruned } from "../ports/agent.ts"
import type { RouterCounters } from "../ports/counters.ts"
import type { Applied, Fence, Released } from "../ports/router.ts"
import { type Credentials, serverHost } from "./trust/authority.ts"

/** The way to an agent: how a request to it is begun, and where that is, in words. */
type Way = { readonly begin: (options: RequestOptions) => ClientRequest; readonly where: string }

/** The engine's side of an agent on the same machine. A rejected promise means that the outcome is unknown. */
export const connectAgent = (options: { readonly server: string; readonly socketPath: string }): Agent =>
  agentOver(options.server, overSocket(options.socketPath))

/** The same of an agent on another machine: both show certificates, and it must be the one that it is called. */
export const connectRemoteAgent = (options: {
  readonly server: string
  /** `host:port`. */
  readonly address: string
  /** What is shown at this moment; a new object when it was renewed. */
  readonly credentials: () => Credentials
}): Agent => ({ ...agentOver(options.server, overTls(options)), instancesOnly: true })

const overSocket = (socketPath: string): Way => ({
  begin: (options) => plainRequest({ ...options, socketPath }),
  where: socketPath,
})

function overTls({
  server,
  address,
  credentials,
}: {
  readonly server: string
  readonly address: string
  readonly credentials: () => Credentials
}): Way {
  const at = address.lastIndexOf(":")
  const host = address.slice(0, at).replace(/^\[|\]$/g, "")
  const port = Number(address.slice(at + 1))
  let shown: Credentials | undefined
  let connections: SecureConnections | undefined
  return {
    begin(options) {
      const now = credentials()
      if (now !== shown) {
        connections?.destroy()
        connections = new SecureConnections({
          ...now,
          minVersion: "TLSv1.3",
          servername: serverHost(server),
          keepAlive: true,
          maxSockets: 32,
        })
        shown = now
      }
      return secureRequest({ ...options, host, port, agent: connections })
    },
    where: address,
  }
}

function agentOver(server: string, way: Way): Agent {
  const call = <T>(method: string, path: string, body: unknown, signal: AbortSignal): Promise<T> =>
    send<T>(way, method, path, body === undefined ? undefined : JSON.stringify(body), signal)
  return {
    server,
    fence: (app, epoch, signal) => call<Ordered>("POST", "/v1/fence", { app, epoch }, signal),
    observe: (apps, signal) => call<Observed>("POST", "/v1/observe", { apps }, signal),
    news: (since, signal, within) => call<News>("POST", "/v1/news", { since, within }, signal),
    async hasArtifact(digest, signal) {
      const path = `/v1/has-artifact?digest=${digest}`
      return (await call<{ readonly has: boolean }>("GET", path, undefined, signal)).has
    },
    getArtifact: (digest, signal, lean) =>
      receive(way, `/v1/artifact?digest=${digest}${lean ? "&lean" : ""}`, signal),
    putArtifact: (fence, digest, tar, signal) =>
      send<Ordered>(way, "PUT", `/v1/artifact?${queryOf(fence, { digest })}`, tar, signal),
    keepArtifacts: (fence, keep, signal) =>
      call<Pruned>("POST", "/v1/keep-artifacts", { fence, keep }, signal),
    putSource: (fence, commit, tar, signal) => {
      const query = queryOf(fence, { commit })
      return send<Ordered>(way, "PUT", `/v1/source?${query}`, tar, signal)
    },
    runJob: (fence, job, url, signal) => call<Ordered>("POST", "/v1/run-job", { fence, job, url }, signal),
    startInstance: (fence, instance, signal) =>
      call<Ordered>("POST", "/v1/start-instance", { fence, instance }, signal),
    stopInstance: (fence, instance, grace, signal) =>
      call<Ordered>("POST", "/v1/stop-instance", { fence, instance, grace }, signal),
    setRoutes: (fence, routes, signal) => call<Applied>("POST", "/v1/set-routes", { fence, routes }, signal),
    releaseInstance: (fence, instance, drain, signal) =>
      call<Released | { readonly kind: "refused"; readonly because: string }>(
        "POST",
        "/v1/release-instance",
        { fence, instance, drain },
        signal,
      ),
    counters: (apps, signal) => call<RouterCounters>("POST", "/v1/counters", { apps }, signal),
    async log(of, from, limit, signal) {
      const [kind, id] = "job" in of ? ["job", of.job] : ["instance", of.instance]
      const query = new URLSearchParams({
        of: kind ?? "",
        id: id ?? "",
        from: String(from),
        limit: String(limit),
      })
      const { chunk } = await call<{ readonly chunk: LogChunk | null }>(
        "GET",
        `/v1/log?${query}`,
        undefined,
        signal,
      )
      return chunk ?? undefined
    },
  }
}

/** Ends the agent behind a socket with everything that it runs: for demos and tests. */
export const shutdownAgent = (socketPath: string, signal: AbortSignal): Promise<unknown> =>
  send(overSocket(socketPath), "POST", "/v1/shutdown", "{}", signal)

const queryOf = (
  { app, epoch, generation }: Fence,
  more: Readonly<Record<string, string>>,
): URLSearchParams =>
  new URLSearchParams({ app, epoch: String(epoch), generation: String(generation), ...more })

/** A body as it comes. */
function receive(way: Way, path: string, signal: AbortSignal): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const asked = way.begin({ method: "GET", path, signal })
    asked.on("error", reject)
    asked.on("response", (answer) => {
      if (answer.statusCode === 200) return resolve(answer)
      answer.resume()
      reject(new Error(`the agent at ${way.where} answered ${answer.statusCode}`))
    })
    asked.end()
  })
}

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(`it is no longer waited for: ${String(reason)}`)

function send<T>(
  way: Way,
  method: string,
  path: string,
  body: string | Readable | undefined,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // The signal is listened to here: as an option of the request it makes that watch itself as a stream.
    const asked = way.begin({ method, path, headers: { "content-type": "application/json" } })
    const end = (): void => void asked.destroy(asError(signal.reason))
    signal.addEventListener("abort", end)
    asked.on("close", () => signal.removeEventListener("abort", end))
    if (signal.aborted) end()
    asked.on("response", (answer) => {
      const chunks: Buffer[] = []
      answer.on("data", (chunk: Buffer) => chunks.push(chunk))
      answer.on("error", reject)
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8")
        try {
          const value = JSON.parse(text) as T & { readonly error?: string }
          if (answer.statusCode === 200) resolve(value)
          else reject(new Error(`the agent refused: ${value.error ?? text}`))
        } catch {
          reject(new Error(`the agent answered ${answer.statusCode} with something that is not JSON`))
        }
      })
    })
    asked.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT" || error.code === "ECONNREFUSED"
          ? new Error(`no agent answers at ${way.where}`)
          : error,
      ),
    )
    if (body === undefined || typeof body === "string") asked.end(body)
    else {
      body.on("error", (error) => asked.destroy(error))
      body.pipe(asked)
    }
  })
}
