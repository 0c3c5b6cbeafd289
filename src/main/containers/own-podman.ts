import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freeNetwork } from "./free-network.ts"
import type { StartedEngine } from "./started-engine.ts"

/** A Podman with storage, settings and a network of its own. */
export class OwnPodman implements StartedEngine {
  readonly logFile: string
  readonly command: readonly [string, ...string[]]
  readonly env: NodeJS.ProcessEnv
  readonly #dir: string
  readonly #runc: string | undefined
  #service: ChildProcess | undefined

  constructor(dir: string, runc: string | undefined, before: readonly string[]) {
    this.#dir = dir
    this.#runc = runc
    this.logFile = join(dir, "service.log")
    const own = ["podman", "--root", join(dir, "root"), "--runroot", join(dir, "run")] as const
    const [first, ...others] = before
    this.command = first === undefined ? own : [first, ...others, ...own]
    this.env = {
      ...process.env,
      CONTAINERS_CONF: join(dir, "containers.conf"),
      CONTAINERS_REGISTRIES_CONF: join(dir, "registries.conf"),
    }
  }

  get socket(): string {
    return join(this.#dir, "podman.sock")
  }

  get ended(): boolean {
    return this.#service === undefined || this.#service.exitCode !== null || this.#service.signalCode !== null
  }

  async launch(): Promise<void> {
    mkdirSync(join(this.#dir, "net"), { recursive: true, mode: 0o700 })
    writeFileSync(join(this.#dir, "containers.conf"), configuration(this.#dir, this.#runc))
    writeFileSync(join(this.#dir, "registries.conf"), registries)
    writeFileSync(join(this.#dir, "net", "podman.json"), JSON.stringify(podmanNetwork()))
    const log = openSync(this.logFile, "a", 0o600)
    const [file, ...before] = this.command
    const args = [...before, "system", "service", "--time", "0", `unix://${this.socket}`]
    this.#service = spawn(file, args, { env: this.env, stdio: ["ignore", log, log] })
    this.#service.on("error", () => undefined)
    closeSync(log)
  }

  end(): void {
    const [file, ...before] = this.command
    const { env } = this
    spawnSync(file, [...before, "rm", "--force", "--all", "--time", "0"], { env, stdio: "ignore" })
    this.#service?.kill("SIGTERM")
  }
}

/** As Docker does it: a registry of this machine need not speak TLS. */
const registries = `unqualified-search-registries = []
[[registry]]
prefix = "127.0.0.1"
location = "127.0.0.1"
insecure = true
`

/** What works without systemd, on either kind of cgroups, and beside other engines of the same machine. */
const configuration = (dir: string, runc: string | undefined): string => `[engine]
${runc === undefined ? "" : 'runtime = "runc"'}
cgroup_manager = "cgroupfs"
lock_type = "file"
events_logger = "file"
tmp_dir = "${dir}/tmp"
[network]
network_config_dir = "${dir}/net"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
`

function podmanNetwork() {
  const { bridge, subnet, gateway } = freeNetwork()
  return {
    name: "podman",
    // Podman knows its default network by this id.
    id: "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9",
    driver: "bridge",
    network_interface: bridge,
    created: new Date().toISOString(),
    subnets: [{ subnet, gateway }],
    ipv6_enabled: false,
    internal: false,
    dns_enabled: false,
    ipam_options: { driver: "host-local" },
  }
}
