import { execFileSync } from "node:child_process"
import { whenInterrupted } from "../../src/main/demo/interrupted.ts"

/** Machines on this machine: each a network namespace of its own, all on one bridge. */
export class Hosts {
  readonly count: number
  readonly #id = process.pid % 100_000
  readonly #net: string
  #isDown = () => {}

  private constructor(count: number) {
    this.count = count
    this.#net = `10.213.${process.pid % 250}`
  }

  /** Why none can be made here, in a sentence; undefined when they can. */
  static impossible(): string | undefined {
    if (process.platform !== "linux") return `namespaces are Linux's; this is ${process.platform}`
    if (process.getuid?.() !== 0) return "only root can make network namespaces"
    const name = `imm-try-${process.pid}`
    try {
      ip("netns", "add", name)
      try {
        execFileSync("nsenter", [`--net=/run/netns/${name}`, "true"], { stdio: "pipe" })
        ip("link", "add", `imt${process.pid % 100_000}`, "type", "bridge")
        ip("link", "del", `imt${process.pid % 100_000}`)
      } finally {
        ip("netns", "del", name)
      }
    } catch (error) {
      return `network namespaces cannot be made here: ${error instanceof Error ? error.message.split("\n").at(-1) : error}`
    }
    return undefined
  }

  static up(count: number): Hosts {
    const hosts = new Hosts(count)
    hosts.#isDown = whenInterrupted(() => hosts.#takeDown())
    ip("link", "add", hosts.#bridge, "type", "bridge")
    ip("addr", "add", `${hosts.gateway}/24`, "dev", hosts.#bridge)
    ip("link", "set", hosts.#bridge, "up")
    for (let i = 0; i < count; i++) {
      const space = hosts.#space(i)
      ip("netns", "add", space)
      ip("link", "add", hosts.#cable(i), "type", "veth", "peer", "name", "eth0", "netns", space)
      ip("link", "set", hosts.#cable(i), "master", hosts.#bridge, "up")
      for (const args of [
        ["link", "set", "lo", "up"],
        ["addr", "add", `${hosts.address(i)}/24`, "dev", "eth0"],
        ["link", "set", "eth0", "up"],
        ["route", "add", "default", "via", hosts.gateway],
      ])
        ip("-n", space, ...args)
    }
    return hosts
  }

  /** Where the machine with the control plane and the router is. */
  get gateway(): string {
    return `${this.#net}.1`
  }

  address(host: number): string {
    return `${this.#net}.${11 + host}`
  }

  /** What runs a command on a host. */
  on(host: number): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.#space(host)}`]
  }

  /** Its cable is pulled: what is sent is lost, and nobody is told. */
  partition(host: number): void {
    ip("link", "set", this.#cable(host), "down")
  }

  heal(host: number): void {
    ip("link", "set", this.#cable(host), "up")
  }

  /** What reaches it is heard, and what it says is lost: for others as dead as one that is cut off. */
  mute(host: number): void {
    this.#filter(host, "-A")
  }

  unmute(host: number): void {
    this.#filter(host, "-D")
  }

  #filter(host: number, what: "-A" | "-D"): void {
    const [file = "", ...before] = this.on(host)
    const args = [...before, "iptables", "-w", what, "OUTPUT", "-o", "eth0", "-j", "DROP"]
    execFileSync(file, args, { stdio: "pipe" })
  }

  down(): void {
    this.#takeDown()
    this.#isDown()
  }

  #takeDown(): void {
    for (let i = 0; i < this.count; i++) {
      quietly(() => ip("link", "del", this.#cable(i)))
      quietly(() => ip("netns", "del", this.#space(i)))
    }
    quietly(() => ip("link", "del", this.#bridge))
  }

  get #bridge(): string {
    return `imb${this.#id}`
  }

  #cable(host: number): string {
    return `imv${this.#id}-${host}`
  }

  #space(host: number): string {
    return `imm${this.#id}-${host}`
  }
}

const ip = (...args: readonly string[]): void => void execFileSync("ip", args, { stdio: "pipe" })

function quietly(act: () => void): void {
  try {
    act()
  } catch {
    // Gone already.
  }
}
