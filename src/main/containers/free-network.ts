import { randomBytes, randomInt } from "node:crypto"
import { readFileSync } from "node:fs"

/** A bridge and a subnet that no other engine of this machine has: they would give out the same addresses twice. */
export function freeNetwork() {
  const taken = routes()
  let [second, third] = [randomInt(100, 200), randomInt(256)]
  while (taken.has(`10.${second}.${third}`)) [second, third] = [randomInt(100, 200), randomInt(256)]
  return {
    bridge: `imm-${randomBytes(4).toString("hex")}`,
    subnet: `10.${second}.${third}.0/24`,
    gateway: `10.${second}.${third}.1`,
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
