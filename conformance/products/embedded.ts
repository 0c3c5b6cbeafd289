import { once } from "node:events"
import { access, mkdtemp, rm } from "node:fs/promises"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { PoolSetup, Product, Setup, Site } from "../product.ts"
import type { Address } from "../stage/client.ts"
import { childrenOf, clockEnv, killGroup, type Started, start } from "../stage/program.ts"
import { becomes, type Cleanup } from "../stage/waiting.ts"

const program = fileURLToPath(new URL("../../bin/immunity", import.meta.url))
const orderProgram = fileURLToPath(new URL("./order.ts", import.meta.url))
const route = "conformance/users"

/** Our own router, as a process of its own, told over its control socket. */
export const embedded: Product = {
  name: "embedded",
  lacks: {},
  async missing() {
    const isThere = await access(program).then(
      () => true,
      () => false,
    )
    return isThere ? undefined : "bin/immunity is not there"
  },
  async open(setup, cleanup) {
    const dir = await mkdtemp(join(tmpdir(), "conformance-"))
    cleanup.add(() => rm(dir, { recursive: true, force: true }))
    const site = new Embedded(dir, setup, cleanup)
    await site.begin()
    if (!setup.alone) await site.apply(setup.pools, setup.salt)
    await site.find()
    return site
  },
}

type State = {
  readonly apps: Readonly<Record<string, { readonly generation: number }>>
  readonly listeners: Readonly<Record<string, string>>
}

export class Embedded implements Site {
  readonly #dir: string
  readonly #setup: Setup
  readonly #cleanup: Cleanup
  #started: Started | undefined
  #pools: readonly PoolSetup[] = []
  #salt = ""
  generation = 0
  address: Address = { host: "127.0.0.1", port: 0 }

  constructor(dir: string, setup: Setup, cleanup: Cleanup) {
    this.#dir = dir
    this.#setup = setup
    this.#cleanup = cleanup
    this.#salt = setup.salt ?? "salt"
  }

  get pid(): number {
    return this.#started?.pid ?? 0
  }

  async begin(): Promise<void> {
    const { mostFiles, clockFile, workers = 0 } = this.#setup
    const env = clockFile === undefined ? {} : ((await clockEnv(clockFile)) ?? {})
    const flags = flagsOf(this.#setup)
    const to = (this.#setup.alone ? this.#setup.pools : []).flatMap(({ instances, weight }) =>
      instances.flatMap(({ address }) => [
        "--to",
        this.#setup.pools.length > 1 ? `${address}=${weight}` : address,
      ]),
    )
    const users = this.#setup.alone ? ["--listen", "127.0.0.1:0", ...to] : []
    const command = [program, "router", "--dir", this.#dir, "--workers", String(workers), ...users, ...flags]
    const started = start(command, this.#cleanup, { mostFiles, env })
    this.#started = started
    const isUp = () =>
      this.ask("GET", "/state").then(
        ({ body }) => !this.#setup.alone || Object.keys((body as State).listeners).length > 0,
        () => started.isOver(),
      )
    await becomes(isUp, 60_000)
    if (started.isOver()) throw new Error(`the router did not start: ${started.said()}`)
  }

  /** Where it listens. */
  async find(): Promise<void> {
    const state = (await this.ask("GET", "/state")).body as State
    const listen = state.listeners[this.#setup.alone ? "router/users" : route]
    if (listen === undefined) throw new Error("the route listens nowhere")
    this.address = { host: "127.0.0.1", port: Number(listen.split(":").at(-1)) }
  }

  async apply(pools: readonly PoolSetup[], salt?: string): Promise<void> {
    this.#pools = pools
    if (salt !== undefined) this.#salt = salt
    this.generation += 1
    const told = await this.ask("PUT", "/table", this.#order(this.generation))
    if (told.status !== 200) throw new Error(`the table was refused: ${JSON.stringify(told.body)}`)
  }

  async drain(instance: string): Promise<void> {
    const without = (pool: PoolSetup) => ({
      ...pool,
      instances: pool.instances.filter((one) => one.id !== instance),
    })
    const leaving = this.#pools.flatMap((pool) => pool.instances).filter((one) => one.id === instance)
    await this.apply([...this.#pools.map(without), { name: "leaving", weight: 0, instances: leaving }])
  }

  said(): string {
    return this.#started?.said() ?? ""
  }

  async restart(): Promise<void> {
    killGroup(this.pid)
    await this.#started?.over
    await this.begin()
    await this.find()
  }

  workers(): Promise<readonly number[]> {
    return childrenOf(this.pid)
  }

  async metrics(): Promise<string> {
    const told = await this.#askAt("stats.sock", "GET", "/stats")
    return JSON.stringify(told.body)
  }

  controlBy(pools: readonly PoolSetup[]): readonly string[] {
    this.#pools = pools
    this.generation += 1
    const body = JSON.stringify(this.#order(this.generation))
    const bytes = `PUT /table HTTP/1.1\r\nHost: router\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    const socket = join(this.#dir, "control.sock")
    return [process.execPath, orderProgram, socket, Buffer.from(bytes).toString("base64")]
  }

  /** An order with a generation of its own; for items that give wrong ones. */
  orderWith(generation: number, pools: readonly PoolSetup[]): Promise<Told> {
    const before = this.#pools
    this.#pools = pools
    const order = this.#order(generation)
    this.#pools = before
    return this.ask("PUT", "/table", order)
  }

  ask(method: string, path: string, body?: unknown): Promise<Told> {
    return this.#askAt("control.sock", method, path, body)
  }

  #order(generation: number): unknown {
    const { sticky, health } = this.#setup
    const [stable] = this.#pools
    return {
      app: "conformance",
      epoch: 1,
      generation,
      routes: [
        {
          route,
          listen: "127.0.0.1:0",
          salt: this.#salt,
          sticky: sticky ? { by: "cookie", name: "user" } : { by: "none" },
          stable: stable?.name ?? null,
          pools: this.#pools.map(({ name, weight, instances }) => ({ pool: name, weight, instances })),
          ...(health
            ? {
                health: {
                  path: health.path,
                  intervalMs: health.interval,
                  timeoutMs: health.timeout,
                  rise: health.rise,
                  fall: health.fall,
                },
              }
            : {}),
        },
      ],
    }
  }

  async #askAt(socket: string, method: string, path: string, body?: unknown): Promise<Told> {
    const asked = request({ socketPath: join(this.#dir, socket), method, path, agent: false })
    asked.end(body === undefined ? undefined : JSON.stringify(body))
    const [told] = await once(asked, "response")
    let text = ""
    for await (const chunk of told) text += String(chunk)
    return { status: told.statusCode, body: JSON.parse(text) }
  }
}

type Told = { readonly status: number; readonly body: unknown }

function flagsOf(setup: Setup): readonly string[] {
  const flags: string[] = []
  const time = (flag: string, ms: number | undefined) => {
    if (ms !== undefined) flags.push(flag, `${ms}ms`)
  }
  const count = (flag: string, value: number | undefined) => {
    if (value !== undefined) flags.push(flag, String(value))
  }
  time("--header-timeout", setup.headerTimeout)
  time("--response-timeout", setup.responseTimeout)
  time("--idle-timeout", setup.idleTimeout)
  count("--max-in-flight", setup.mostInFlight)
  count("--max-connections-per-address", setup.mostConnectionsPerAddress)
  count("--eject-after", setup.ejection?.after)
  count("--eject-after-5xx", setup.ejection?.after)
  time("--ejection-time", setup.ejection?.time)
  time("--drain-requests", setup.drainDeadline)
  time("--drain-streams", setup.drainDeadline)
  time("--drain-tunnels", setup.drainDeadline)
  return flags
}
