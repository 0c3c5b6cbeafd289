import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { strictAnswerRules, strictRules, unnamingProgram } from "../../src/providers/router/haproxy/strict.ts"
import type { PoolSetup, Product, Setup, Site } from "../product.ts"
import type { Address } from "../stage/client.ts"
import { childrenOf, clockEnv, freePort, killGroup, printed, type Started, start } from "../stage/program.ts"
import { becomes, type Cleanup } from "../stage/waiting.ts"

const orderProgram = fileURLToPath(new URL("./order.ts", import.meta.url))

/**
 * HAProxy as Debian has it, with a plain configuration and the rules with which our driver makes it strict; told over
 * its runtime socket.
 */
export const haproxy: Product = {
  name: "haproxy",
  lacks: {
    "57": "its runtime socket knows no generations; whoever gives orders must fence himself",
  },
  async missing() {
    return (await printed("haproxy", "-v")) === undefined ? "haproxy is not installed" : undefined
  },
  async open(setup, cleanup) {
    const dir = await mkdtemp(join(tmpdir(), "conformance-"))
    cleanup.add(() => rm(dir, { recursive: true, force: true }))
    const site = new Haproxy(dir, setup, await freePort(), cleanup)
    await site.begin()
    return site
  },
}

class Haproxy implements Site {
  readonly #dir: string
  readonly #setup: Setup
  readonly #cleanup: Cleanup
  #pools: readonly PoolSetup[]
  #salt: string
  #started: Started | undefined
  readonly address: Address

  constructor(dir: string, setup: Setup, port: number, cleanup: Cleanup) {
    this.#dir = dir
    this.#setup = setup
    this.#cleanup = cleanup
    this.#pools = setup.pools
    this.#salt = setup.salt ?? "salt"
    this.address = { host: "127.0.0.1", port }
  }

  get pid(): number {
    return this.#started?.pid ?? 0
  }

  async begin(): Promise<void> {
    await this.#write()
    await writeFile(join(this.#dir, "strict.lua"), unnamingProgram)
    await writeFile(join(this.#dir, "haproxy.cfg"), this.#configuration())
    const { mostFiles, clockFile } = this.#setup
    const env = clockFile === undefined ? {} : ((await clockEnv(clockFile)) ?? {})
    const command = ["haproxy", "-W", "-db", "-f", join(this.#dir, "haproxy.cfg")]
    const started = start(command, this.#cleanup, { mostFiles, env })
    this.#started = started
    await becomes(async () => started.isOver() || (await this.#tell("show info")).includes("Name:"), 30_000)
    if (started.isOver()) throw new Error(`haproxy did not start: ${started.said()}`)
  }

  async apply(pools: readonly PoolSetup[], salt?: string): Promise<void> {
    this.#pools = pools
    if (salt !== undefined) this.#salt = salt
    await this.#write()
    await this.#tell(this.#orders().join("; "))
  }

  async drain(instance: string): Promise<void> {
    const pool = this.#pools.find((one) => one.instances.some(({ id }) => id === instance))
    const server = `${pool?.name}/${instance}`
    await this.#tell(`set server ${server} state drain`)
    const { drainDeadline } = this.#setup
    if (drainDeadline === undefined) return
    void sleep(drainDeadline).then(() => this.#tell(`shutdown sessions server ${server}`))
  }

  said(): string {
    return this.#started?.said() ?? ""
  }

  async restart(): Promise<void> {
    killGroup(this.pid)
    await this.#started?.over
    await this.begin()
  }

  workers(): Promise<readonly number[]> {
    return childrenOf(this.pid)
  }

  async metrics(): Promise<string> {
    return this.#tell("show stat")
  }

  controlBy(pools: readonly PoolSetup[]): readonly string[] {
    this.#pools = pools
    const bytes = Buffer.from(`prompt\n${this.#orders().join("\n")}\n`).toString("base64")
    return [process.execPath, orderProgram, join(this.#dir, "control.sock"), bytes]
  }

  #orders(): readonly string[] {
    return [`set map ${this.#shareMap} now ${this.#share()}`, `set map ${this.#saltMap} now ${this.#salt}`]
  }

  get #shareMap(): string {
    return join(this.#dir, "share.map")
  }

  get #saltMap(): string {
    return join(this.#dir, "salt.map")
  }

  /** Of 10,000 users, how many are not in the stable pool. */
  #share(): number {
    return Math.round((this.#pools[1]?.weight ?? 0) * 100)
  }

  /** What a restart begins with. */
  async #write(): Promise<void> {
    await writeFile(this.#shareMap, `now ${this.#share()}\n`)
    await writeFile(this.#saltMap, `now ${this.#salt}\n`)
  }

  #tell(line: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect({ path: join(this.#dir, "control.sock") })
      let text = ""
      socket.on("data", (chunk) => {
        text += String(chunk)
      })
      socket.on("error", () => resolve(""))
      socket.on("close", () => resolve(text))
      socket.write(`${line}\n`)
    })
  }

  #configuration(): string {
    const { headerTimeout, responseTimeout, idleTimeout, sticky, mostInFlight, mostFiles } = this.#setup
    const { health, ejection, mostConnectionsPerAddress } = this.#setup
    const [stable, canary] = this.#pools
    const choose = canary
      ? [
          `http-request set-var(txn.salt) str(now),map(${this.#saltMap})`,
          `http-request set-var(txn.share) str(now),map_str_int(${this.#shareMap},0)`,
          ...(sticky
            ? [
                "http-request set-var(txn.user) req.cook(user)",
                "http-request set-var(txn.user) src if !{ var(txn.user) -m found }",
                "http-request set-var(txn.point) var(txn.user),concat(:,txn.salt),xxh32(0),mod(10000)",
              ]
            : ["http-request set-var(txn.point) rand(10000)"]),
          `use_backend ${canary.name} if { var(txn.point),sub(txn.share) -m int lt 0 } { nbsrv(${canary.name}) gt 0 }`,
        ]
      : []
    const limit =
      mostConnectionsPerAddress === undefined
        ? []
        : [
            "stick-table type ip size 10k expire 1m store conn_cur",
            "tcp-request connection track-sc0 src",
            `tcp-request connection reject if { sc0_conn_cur gt ${mostConnectionsPerAddress} }`,
          ]
    const server = [
      mostInFlight === undefined ? "" : `maxconn ${mostInFlight}`,
      health || ejection
        ? `check inter ${health?.interval ?? ejection?.time}ms rise ${health?.rise ?? 1} fall ${health?.fall ?? 1}`
        : "",
      ejection ? `observe layer7 error-limit ${ejection.after} on-error mark-down` : "",
    ].join(" ")
    const backends = this.#pools.map(({ name, instances }) => [
      `backend ${name}`,
      "  balance roundrobin",
      ...(health ? [`  option httpchk GET ${health.path}`, `  timeout check ${health.timeout}ms`] : []),
      ...instances.map(({ id, address }) => `  server ${id} ${address} ${server}`),
    ])
    return [
      "global",
      `  stats socket ${join(this.#dir, "control.sock")} mode 600 level admin`,
      `  maxconn ${mostFiles === undefined ? 4_000 : Math.floor((mostFiles - 140) / 2)}`,
      "  hard-stop-after 2s",
      `  lua-load ${join(this.#dir, "strict.lua")}`,
      "defaults",
      "  mode http",
      "  timeout connect 2s",
      `  timeout client ${idleTimeout ?? 60_000}ms`,
      `  timeout server ${responseTimeout ?? 60_000}ms`,
      `  timeout http-request ${headerTimeout ?? 10_000}ms`,
      `  timeout http-keep-alive ${idleTimeout ?? 60_000}ms`,
      "  timeout tunnel 1h",
      "  timeout queue 300ms",
      "  option forwardfor",
      "  option redispatch 1",
      "  option idle-close-on-response",
      "  retries 1",
      "  retry-on conn-failure empty-response",
      "  http-reuse safe",
      "  http-error status 503 content-type text/plain string unavailable hdr Retry-After 1",
      "frontend users",
      `  bind 127.0.0.1:${this.address.port}`,
      ...limit.map((line) => `  ${line}`),
      ...strictRules(true),
      ...choose.map((line) => `  ${line}`),
      ...strictAnswerRules(true),
      `  default_backend ${stable?.name}`,
      ...backends.flat(),
      "",
    ].join("\n")
  }
}
