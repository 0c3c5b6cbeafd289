import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Command } from "commander"
import { parse } from "yaml"
import { Client, exit, Stop, serverUrl } from "./client.ts"

/** What every command that asks a server takes. */
export type Common = { readonly server?: string; readonly json?: boolean }

export const client = (options: Common): Client => new Client(serverUrl(options.server))

export const base = (program: Command, name: string, says: string): Command =>
  program
    .command(name)
    .description(says)
    .option("--server <url>", "the control plane's address")
    .option("--json", "one JSON object")

/** `papi#7`, or `#7` where the nearest immunity.yaml says which application. */
export function split(target: string): { readonly app: string; readonly number: string } {
  const found = /^(?:([a-z][a-z0-9-]*))?#(\d+)$/.exec(target)
  if (!found?.[2]) throw new Stop(exit.usage, `"${target}" does not name a rollout; write it as papi#7`)
  return { app: appName(found[1]), number: found[2] }
}

/** The application of the nearest immunity.yaml, when none is named. */
export function appName(given: string | undefined): string {
  if (given) return given
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const file = process.env.IMMUNITY_CONFIG ?? join(folder, "immunity.yaml")
    if (existsSync(file)) {
      const found = parse(readFileSync(file, "utf8")) as { app?: unknown } | undefined
      if (typeof found?.app === "string") return found.app
    }
    if (existsSync(join(folder, ".git")) || dirname(folder) === folder) {
      throw new Stop(exit.usage, "which application? name it, or go where its immunity.yaml is")
    }
  }
}
