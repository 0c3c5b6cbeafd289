import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { standStill } from "../demo/interrupted.ts"
import { processesOf } from "../demo/leftovers.ts"
import { freeNetwork } from "./free-network.ts"
import type { StartedEngine } from "./started-engine.ts"

const run = promisify(execFile)

/**
 * A dockerd with a containerd, a bridge and storage of its own. It leaves the machine's firewall alone: ports are
 * published by Docker's own proxy, and its containers have no way out.
 */
export class OwnDocker implements StartedEngine {
  readonly logFile: string
  readonly command: readonly [string, ...string[]]
  readonly env = process.env
  readonly #dir: string
  readonly #before: readonly string[]
  readonly #network = freeNetwork()
  #service: ChildProcess | undefined

  constructor(dir: string, before: readonly string[]) {
    this.#dir = dir
    this.#before = before
    this.logFile = join(dir, "service.log")
    this.command = ["docker", "--host", `unix://${this.socket}`]
  }

  get socket(): string {
    return join(this.#dir, "docker.sock")
  }

  get ended(): boolean {
    return this.#service === undefined || this.#service.exitCode !== null || this.#service.signalCode !== null
  }

  async launch(): Promise<void> {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    // Without one of its own it reads the machine's.
    const settings = join(this.#dir, "daemon.json")
    writeFileSync(settings, "{}\n")
    const { bridge, gateway } = this.#network
    await this.#inPlace("ip", "link", "add", "name", bridge, "type", "bridge")
    await this.#inPlace("ip", "addr", "add", `${gateway}/24`, "dev", bridge)
    await this.#inPlace("ip", "link", "set", bridge, "up")
    const log = openSync(this.logFile, "a", 0o600)
    const [file, ...args] = [
      ...this.#before,
      ...["dockerd", "--config-file", settings, "--host", `unix://${this.socket}`, "--bridge", bridge],
      ...["--data-root", join(this.#dir, "root"), "--exec-root", join(this.#dir, "run")],
      ...["--pidfile", join(this.#dir, "pid"), "--exec-opt", "native.cgroupdriver=cgroupfs"],
      ...[
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--live-restore",
        "--log-level",
        "warn",
      ],
    ]
    this.#service = spawn(file ?? "dockerd", args, { stdio: ["ignore", log, log] })
    this.#service.on("error", () => undefined)
    closeSync(log)
  }

  /** Ends it with all its containers; its folder stays. */
  end(): void {
    const [file, ...global] = this.command
    const { stdout } = spawnSync(file, [...global, "ps", "--all", "--quiet"], { encoding: "utf8" })
    const all = (stdout ?? "").split("\n").filter((id) => id !== "")
    if (all.length > 0) spawnSync(file, [...global, "rm", "--force", ...all], { stdio: "ignore" })
    this.#service?.kill("SIGTERM")
    // It takes its containerd along, when it is let.
    for (let tries = 0; tries < 100 && processesOf(this.#dir).length > 0; tries++) standStill(100)
    const [ip = "ip", ...args] = [...this.#before, "ip", "link", "delete", this.#network.bridge]
    spawnSync(ip, args, { stdio: "ignore" })
  }

  async #inPlace(...command: readonly string[]): Promise<void> {
    const [file = "", ...args] = [...this.#before, ...command]
    await run(file, args)
  }
}
