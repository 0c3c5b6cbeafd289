import { existsSync, readFileSync } from "node:fs"

/** Of this program, as its package says. */
export function version(): string {
  const file = new URL("../../../package.json", import.meta.url)
  const near = new URL("../../package.json", import.meta.url)
  const found = JSON.parse(readFileSync(existsSync(file) ? file : near, "utf8")) as { version: string }
  return found.version
}
