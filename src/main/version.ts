import { existsSync, readFileSync } from "node:fs"

/** What runs: agents and control planes of the same program say the same. */
export const program = (): string => `${version()} on Node ${process.versions.node}`

/** Of this program, as its package says. */
export function version(): string {
  const file = new URL("../../../package.json", import.meta.url)
  const near = new URL("../../package.json", import.meta.url)
  const found = JSON.parse(readFileSync(existsSync(file) ? file : near, "utf8")) as { version: string }
  return found.version
}
