import { randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { join } from "node:path"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import { type Told, toldTo } from "../core/pipeline/told.ts"
import { readJson, writeAtomically } from "./files.ts"

const path = "/v1/configuration"

/** What one instance may read, and the token by which it is known. */
type Grant = Told & { readonly token: string }

type Stored = { readonly port: number; readonly grants: Readonly<Record<string, Grant>> }

/**
 * Answers each instance of this server what it is configured with, while it runs and with the control plane dead.
 * Values, secrets among them, stand in no image, argument, environment or log: in one file that only the agent's
 * owner may read, for as long as the instance lives.
 */
export class Configurations {
  readonly #file: string
  readonly #server: Server
  #stored: Stored
  #writing: Promise<void> = Promise.resolve()

  private constructor(file: string, stored: Stored) {
    this.#file = file
    this.#stored = stored
    this.#server = createServer((request, response) => this.#answer(request, response))
    this.#server.unref()
  }

  /** The port stays the same over restarts: instances know it. */
  static async open(dir: string): Promise<Configurations> {
    const file = join(dir, "configurations.json")
    const stored = ((await readJson(file)) as Stored | undefined) ?? { port: 0, grants: {} }
    const opened = new Configurations(file, stored)
    await opened.#listen(stored.port)
    return opened
  }

  /** What the instance finds in its environment: where to ask, and its token. */
  async grant(app: string, spec: InstanceSpec): Promise<Readonly<Record<string, string>>> {
    const told = toldTo(app, spec)
    if (!told) return {}
    const token = randomBytes(24).toString("base64url")
    const grant: Grant = { token, ...told }
    await this.#save({ ...this.#stored, grants: { ...this.#stored.grants, [spec.id]: grant } })
    return {
      IMMUNITY_CONFIGURATION_URL: `http://127.0.0.1:${this.#stored.port}${path}`,
      IMMUNITY_CONFIGURATION_TOKEN: token,
    }
  }

  async withdraw(id: string): Promise<void> {
    if (!this.#stored.grants[id]) return
    const { [id]: _, ...grants } = this.#stored.grants
    await this.#save({ ...this.#stored, grants })
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
    await this.#writing
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const taken = `port ${port}, where this server's instances ask for their configuration, is taken; free it`
        reject(error.code === "EADDRINUSE" ? new Error(taken) : error)
      })
      this.#server.listen(port, "127.0.0.1", resolve)
    })
    const address = this.#server.address()
    const chosen = typeof address === "object" && address ? address.port : port
    if (chosen !== this.#stored.port) await this.#save({ ...this.#stored, port: chosen })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const reply = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
      response.end(`${JSON.stringify(body)}\n`)
    }
    if (request.method !== "GET" || request.url !== path)
      return reply(404, { error: `there is only GET ${path}` })
    const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1]
    const grant = Object.values(this.#stored.grants).find(({ token }) => token === given)
    if (!grant) {
      return reply(401, {
        error: "send `Authorization: Bearer` with IMMUNITY_CONFIGURATION_TOKEN of a running instance",
      })
    }
    const { token: _, ...body } = grant
    reply(200, body)
  }

  #save(stored: Stored): Promise<void> {
    this.#stored = stored
    const write = () => writeAtomically(this.#file, JSON.stringify(stored))
    this.#writing = this.#writing.then(write, write)
    return this.#writing
  }
}
