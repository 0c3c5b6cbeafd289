import { type ChildProcess, execFile, spawn } from "node:child_process"
import { randomBytes, randomInt } from "node:crypto"
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { dockerEngine } from "../../providers/engine/index.ts"

/** A container engine that was started for one purpose and goes without a trace. */
export type OwnEngine = {
  readonly socket: string
  /** Removes every container and image of it, its mounts and its folder. */
  readonly close: () => Promise<void>
}

const run = promisify(execFile)

/**
 * Starts a Podman of our own in `dir`, which must be absolute and not exist yet: own storage, own network, own
 * socket, nothing of it shared with the machine's. `before`: words before the command, as to enter the network of
 * another host. Answers why where none can run.
 */
export async function startEngine(
  dir: string,
  before: readonly string[] = [],
): Promise<OwnEngine | { readonly impossible: string }> {
  if (process.getuid?.() !== 0) return { impossible: "a Podman of our own needs root; this user is not" }
  const podman = await found("podman")
  if (podman === undefined)
    return { impossible: "there is no podman on this machine (scripts/setup.sh containers installs it)" }
  const engine = new Podman(dir, await found("runc"), before)
  try {
    await engine.start()
    return engine
  } catch (error) {
    const said = engine.log()
    await engine.close()
    const because = error instanceof Error ? error.message : String(error)
    return { impossible: `Podman does not start here: ${because} ${said}`.trim() }
  }
}

class Podman implements OwnEngine {
  readonly #dir: string
  readonly #runc: string | undefined
  readonly #command: readonly [string, ...string[]]
  #service: ChildProcess | undefined

  constructor(dir: string, runc: string | undefined, before: readonly string[]) {
    this.#dir = dir
    this.#runc = runc
    const [first, ...others] = before
    this.#command = first === undefined ? ["podman"] : [first, ...others, "podman"]
    this.close = this.close.bind(this)
  }

  get socket(): string {
    return join(this.#dir, "podman.sock")
  }

  async start(): Promise<void> {
    mkdirSync(join(this.#dir, "net"), { recursive: true, mode: 0o700 })
    writeFileSync(join(this.#dir, "containers.conf"), configuration(this.#dir, this.#runc))
    writeFileSync(join(this.#dir, "net", "podman.json"), JSON.stringify(network()))
    const log = openSync(join(this.#dir, "service.log"), "a", 0o600)
    const [file, ...before] = this.#command
    const args = [...before, ...this.#global(), "system", "service", "--time", "0", `unix://${this.socket}`]
    this.#service = spawn(file, args, { env: this.#env(), stdio: ["ignore", log, log] })
    this.#service.on("error", () => undefined)
    closeSync(log)
    const engine = dockerEngine({ socket: this.socket, owner: "nobody" })
    for (let tries = 0; ; tries++) {
      const answered = await engine.version(AbortSignal.timeout(5_000)).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (answered === undefined) return
      if (tries > 200 || this.#service.exitCode !== null) throw answered
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async close(): Promise<void> {
    const [file, ...before] = this.#command
    const removed = run(file, [...before, ...this.#global(), "rm", "--force", "--all", "--time", "0"], {
      env: this.#env(),
    })
    await removed.catch(() => undefined)
    const service = this.#service
    if (service && service.exitCode === null && service.signalCode === null) {
      service.kill("SIGTERM")
      await new Promise((resolve) => service.once("exit", resolve))
    }
    // What cleans up after a container may still be at it, and it makes folders again.
    for (let tries = 0; existsSync(this.#dir) && tries < 20; tries++) {
      // Its storage is mounted onto itself.
      for (const mount of mountsBelow(this.#dir)) await run("umount", ["-l", mount]).catch(() => undefined)
      rmSync(this.#dir, { recursive: true, force: true })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  log(): string {
    try {
      return readFileSync(join(this.#dir, "service.log"), "utf8").trim().split("\n").at(-1) ?? ""
    } catch {
      return ""
    }
  }

  #global(): readonly string[] {
    return ["--root", join(this.#dir, "root"), "--runroot", join(this.#dir, "run")]
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, CONTAINERS_CONF: join(this.#dir, "containers.conf") }
  }
}

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

/** A bridge and a subnet that no other engine of this machine has: they would give out the same addresses twice. */
function network() {
  const taken = routes()
  let [second, third] = [randomInt(100, 200), randomInt(256)]
  while (taken.has(`10.${second}.${third}`)) [second, third] = [randomInt(100, 200), randomInt(256)]
  return {
    name: "podman",
    // Podman knows its default network by this id.
    id: "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9",
    driver: "bridge",
    network_interface: `imm-${randomBytes(4).toString("hex")}`,
    created: new Date().toISOString(),
    subnets: [{ subnet: `10.${second}.${third}.0/24`, gateway: `10.${second}.${third}.1` }],
    ipv6_enabled: false,
    internal: false,
    dns_enabled: false,
    ipam_options: { driver: "host-local" },
  }
}

/** The first three numbers of every network that this machine has a way to. */
function routes(): ReadonlySet<string> {
  const lines = readFileSync("/proc/net/route", "utf8").split("\n").slice(1)
  return new Set(
    lines.map((line) => {
      const destination = Number.parseInt(line.split("\t")[1] ?? "0", 16)
      return [destination & 255, (destination >> 8) & 255, (destination >> 16) & 255].join(".")
    }),
  )
}

const mountsBelow = (dir: string): readonly string[] =>
  readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((mount) => mount.startsWith(`${dir}/`))
    .sort()
    .reverse()

async function found(program: string): Promise<string | undefined> {
  const { stdout } = await run("sh", ["-c", `command -v ${program}`]).catch(() => ({ stdout: "" }))
  return stdout.trim() || undefined
}
