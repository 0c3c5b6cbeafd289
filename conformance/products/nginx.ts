import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PoolSetup, Product, Setup, Site } from "../product.ts"
import { type Address, Client } from "../stage/client.ts"
import {
  childrenOf,
  clockEnv,
  freePort,
  killGroup,
  printed,
  type Started,
  start,
  titleOf,
} from "../stage/program.ts"
import { becomes, Cleanup } from "../stage/waiting.ts"

/** nginx as Debian has it, with a plain configuration; told by a new file and a reload. */
export const nginx: Product = {
  name: "nginx",
  lacks: {
    "50": "the free nginx has no active checks",
    "52": "the free nginx has no active checks, and so no share of healthy instances",
    "57": "a file has no generation; whoever writes it must fence himself",
  },
  async missing() {
    return (await printed("nginx", "-v")) === undefined ? "nginx is not installed" : undefined
  },
  async open(setup, cleanup) {
    const dir = await mkdtemp(join(tmpdir(), "conformance-"))
    cleanup.add(() => rm(dir, { recursive: true, force: true }))
    const site = new Nginx(dir, setup, await freePort(), await freePort(), cleanup)
    await site.begin()
    return site
  },
}

class Nginx implements Site {
  readonly #dir: string
  readonly #setup: Setup
  readonly #cleanup: Cleanup
  readonly #statusPort: number
  #pools: readonly PoolSetup[]
  #salt: string
  #started: Started | undefined
  readonly address: Address

  constructor(dir: string, setup: Setup, port: number, statusPort: number, cleanup: Cleanup) {
    this.#dir = dir
    this.#setup = setup
    this.#cleanup = cleanup
    this.#pools = setup.pools
    this.#salt = setup.salt ?? "salt"
    this.#statusPort = statusPort
    this.address = { host: "127.0.0.1", port }
  }

  get pid(): number {
    return this.#started?.pid ?? 0
  }

  async begin(): Promise<void> {
    await mkdir(join(this.#dir, "temp"), { recursive: true })
    await this.#write()
    const { mostFiles, clockFile } = this.#setup
    const env = clockFile === undefined ? {} : ((await clockEnv(clockFile)) ?? {})
    const command = ["nginx", "-p", this.#dir, "-e", join(this.#dir, "error.log"), "-c", this.#file]
    const started = start(command, this.#cleanup, { mostFiles, env })
    this.#started = started
    await becomes(async () => started.isOver() || (await this.#isOpen()), 30_000)
    if (started.isOver()) throw new Error(`nginx did not start: ${started.said()}`)
  }

  async apply(pools: readonly PoolSetup[], salt?: string): Promise<void> {
    this.#pools = pools
    if (salt !== undefined) this.#salt = salt
    await this.#write()
    await this.#reload()
  }

  async drain(instance: string): Promise<void> {
    const without = this.#pools.map((pool) => ({
      ...pool,
      instances: pool.instances.filter((one) => one.id !== instance),
    }))
    await this.apply(without)
  }

  said(): string {
    return this.#started?.said() ?? ""
  }

  async restart(): Promise<void> {
    killGroup(this.pid)
    await this.#started?.over
    await this.begin()
  }

  async workers(): Promise<readonly number[]> {
    return childrenOf(this.pid)
  }

  async metrics(): Promise<string> {
    const cleanup = new Cleanup()
    try {
      const client = await Client.connect({ host: "127.0.0.1", port: this.#statusPort }, cleanup)
      client.send("GET /status HTTP/1.1\r\nHost: status\r\nConnection: close\r\n\r\n", "GET")
      const [told] = await client.settled()
      return told?.body ?? ""
    } finally {
      await cleanup.run()
    }
  }

  controlBy(pools: readonly PoolSetup[]): readonly string[] {
    this.#pools = pools
    const text = this.#configuration()
    const write = `cat > ${this.#file} <<'END'\n${text}\nEND\nkill -HUP ${this.pid}; echo applied; sleep 600`
    return ["sh", "-c", write]
  }

  get #file(): string {
    return join(this.#dir, "nginx.conf")
  }

  async #isOpen(): Promise<boolean> {
    const cleanup = new Cleanup()
    return Client.connect(this.address, cleanup)
      .then(
        () => true,
        () => false,
      )
      .finally(() => cleanup.run())
  }

  /** Done when the workers from before take no new connections. */
  async #reload(): Promise<void> {
    const before = await this.workers()
    process.kill(this.pid, "SIGHUP")
    const isLeaving = async (pid: number) => {
      const title = await titleOf(pid)
      return title === "" || title.includes("shutting down")
    }
    await becomes(async () => (await Promise.all(before.map(isLeaving))).every((leaving) => leaving), 30_000)
  }

  #write(): Promise<void> {
    return writeFile(this.#file, this.#configuration())
  }

  #configuration(): string {
    const { headerTimeout, responseTimeout, idleTimeout, sticky, mostInFlight } = this.#setup
    const { ejection, mostConnectionsPerAddress, drainDeadline, workers } = this.#setup
    const [stable, canary] = this.#pools
    const server = [
      mostInFlight === undefined ? "" : `max_conns=${mostInFlight}`,
      ejection ? `max_fails=${ejection.after} fail_timeout=${Math.ceil(ejection.time / 1_000)}s` : "",
    ].join(" ")
    const share = canary?.weight ?? 0
    const temp = (kind: string) => `  ${kind}_temp_path ${join(this.#dir, "temp", kind)};`
    const shared = mostInFlight === undefined && !ejection ? [] : ["    zone shared 256k;"]
    const filled = this.#pools.filter((pool) => pool.instances.length > 0)
    return [
      "daemon off;",
      ...(process.getuid?.() === 0 ? ["user root;"] : []),
      `worker_processes ${workers ?? 1};`,
      `pid ${join(this.#dir, "pid")};`,
      ...(drainDeadline === undefined ? [] : [`worker_shutdown_timeout ${drainDeadline}ms;`]),
      "events { worker_connections 4096; }",
      "http {",
      "  access_log off;",
      ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(temp),
      "  map $http_upgrade $upgrade_or_not { default upgrade; '' ''; }",
      "  map $cookie_user $user { default $cookie_user; '' $remote_addr; }",
      `  split_clients "${sticky ? `$user:${this.#salt}` : "$request_id"}" $pool {`,
      ...(canary && share > 0 && share < 100 ? [`    ${share}% ${canary.name};`] : []),
      `    * ${canary && share >= 100 ? canary.name : stable?.name};`,
      "  }",
      ...filled.flatMap(({ name, instances }) => [
        `  upstream ${name} {`,
        ...shared.map((line) => line.replace("shared", `shared_${name}`)),
        ...instances.map(({ address }) => `    server ${address} ${server};`),
        ...(mostInFlight === undefined ? ["    keepalive 32;"] : []),
        "  }",
      ]),
      ...(mostConnectionsPerAddress === undefined
        ? []
        : ["  limit_conn_zone $binary_remote_addr zone=clients:1m;"]),
      `  server { listen 127.0.0.1:${this.#statusPort}; location /status { stub_status; } }`,
      "  server {",
      `    listen 127.0.0.1:${this.address.port} backlog=4096;`,
      `    client_header_timeout ${headerTimeout ?? 10_000}ms;`,
      `    keepalive_timeout ${idleTimeout ?? 60_000}ms;`,
      "    client_max_body_size 0;",
      ...(mostConnectionsPerAddress === undefined
        ? []
        : [`    limit_conn clients ${mostConnectionsPerAddress};`]),
      "    location / {",
      "      proxy_pass http://$pool;",
      "      proxy_http_version 1.1;",
      "      proxy_buffering off;",
      "      proxy_request_buffering off;",
      "      proxy_connect_timeout 2s;",
      `      proxy_read_timeout ${responseTimeout ?? 60_000}ms;`,
      `      proxy_send_timeout ${responseTimeout ?? 60_000}ms;`,
      "      proxy_set_header Host $host;",
      "      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
      "      proxy_set_header Upgrade $http_upgrade;",
      "      proxy_set_header Connection $upgrade_or_not;",
      ...(ejection ? ["      proxy_next_upstream error timeout http_500;"] : []),
      ...(canary && canary.instances.length === 0 ? [] : ["      error_page 502 504 = @again;"]).filter(
        () => canary !== undefined,
      ),
      ...(mostInFlight === undefined ? [] : ["      error_page 502 =503 /full;"]),
      "    }",
      ...(canary
        ? [
            "    location @again {",
            `      proxy_pass http://${stable?.name};`,
            "      proxy_http_version 1.1;",
            "      proxy_set_header Host $http_host;",
            "      proxy_set_header Connection '';",
            "    }",
          ]
        : []),
      ...(mostInFlight === undefined
        ? []
        : ["    location = /full { internal; add_header Retry-After 1 always; return 503; }"]),
      "  }",
      "}",
      "",
    ].join("\n")
  }
}
