import { execFileSync, spawnSync } from "node:child_process"
import { whenInterrupted } from "../../../../src/main/demo/interrupted.ts"

/** A machine of its own as far as the network is concerned, tied to this one by one cable that can be cut. */
export class Namespace {
  readonly name: string
  /** Of this side of the cable, and of the other. */
  readonly here: string
  readonly there: string
  readonly #cable: string
  readonly #isDown: () => void

  constructor(number: number) {
    this.name = `immunity-${process.pid}-${number}`
    this.#cable = `imm${process.pid % 100_000}x${number}`
    this.here = `10.213.${number}.1`
    this.there = `10.213.${number}.2`
    this.#isDown = whenInterrupted(() => this.#takeDown())
    ip("netns", "add", this.name)
    ip("link", "add", this.#cable, "type", "veth", "peer", "name", "eth0", "netns", this.name)
    ip("addr", "add", `${this.here}/30`, "dev", this.#cable)
    ip("link", "set", this.#cable, "up")
    ip("-n", this.name, "addr", "add", `${this.there}/30`, "dev", "eth0")
    for (const device of ["lo", "eth0"]) ip("-n", this.name, "link", "set", device, "up")
  }

  /** Words before a command that shall run there. */
  get before(): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.name}`]
  }

  /** `both`: nothing passes; `answers`: what comes arrives, and what it says is lost. */
  cut(how: "both" | "answers"): void {
    this.#rules("-I", how)
  }

  heal(how: "both" | "answers"): void {
    this.#rules("-D", how)
  }

  close(): void {
    this.#takeDown()
    this.#isDown()
  }

  #takeDown(): void {
    spawnSync("ip", ["link", "del", this.#cable])
    spawnSync("ip", ["netns", "del", this.name])
  }

  #rules(verb: "-I" | "-D", how: "both" | "answers"): void {
    const chains = how === "both" ? ["INPUT", "OUTPUT"] : ["OUTPUT"]
    for (const chain of chains) {
      const side = chain === "INPUT" ? "-i" : "-o"
      const [file = "", ...args] = [...this.before, "iptables", "-w", verb, chain, side, "eth0", "-j", "DROP"]
      execFileSync(file, args)
    }
  }
}

const ip = (...args: readonly string[]): void => {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] })
}

/** Why there can be no such machines here. */
export function noNamespaces(): string | undefined {
  const name = `immunity-${process.pid}-probe`
  const made = spawnSync("ip", ["netns", "add", name]).status === 0
  if (made) spawnSync("ip", ["netns", "del", name])
  if (!made) return "no right to make network namespaces (root, iproute2)"
  return spawnSync("iptables", ["--version"]).status === 0 ? undefined : "iptables is not installed"
}
