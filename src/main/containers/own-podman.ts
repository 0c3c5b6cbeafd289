import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { freeNetwork } from "./free-network.ts"
import type { StartedEngine } from "./started-engine.ts"

/**
 * Held by whoever changes the firewall of a host's network. Newer Podmans know it by this name; 4.3 locks a file of its
 * network settings instead. Two with settings of their own would change one chain at once, and a start or an end is
 * refused: `Chain already exists`, `No chain/target/match by that name`, `Device or resource busy`.
 */
const networkLock = "/run/lock/netavark.lock"

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
    const network = ownNetwork()
    mkdirSync(join(this.#dir, "net"), { recursive: true, mode: 0o700 })
    mkdirSync(dirname(networkLock), { recursive: true })
    symlinkSync(networkLock, join(this.#dir, "net", "netavark.lock"))
    writeFileSync(join(this.#dir, "containers.conf"), configuration(this.#dir, network.name, this.#runc))
    writeFileSync(join(this.#dir, "registries.conf"), registries)
    writeFileSync(join(this.#dir, "net", `${network.name}.json`), JSON.stringify(network))
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
const configuration = (dir: string, network: string, runc: string | undefined): string => `[engine]
${runc === undefined ? "" : 'runtime = "runc"'}
cgroup_manager = "cgroupfs"
lock_type = "file"
events_logger = "file"
tmp_dir = "${dir}/tmp"
[network]
network_config_dir = "${dir}/net"
default_network = "${network}"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
`

function ownNetwork() {
  const { bridge, subnet, gateway } = freeNetwork()
  return {
    // Its chains in the firewall are named after it: of two networks of one name, one would take away the other's.
    name: bridge,
    id: createHash("sha256").update(bridge).digest("hex"),
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
