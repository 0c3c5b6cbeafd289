import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runRouter } from "./main.ts"
import { serveMetrics } from "./metrics.ts"
import { type RouterOptions, readOptions } from "./read-options.ts"
import { readSettings } from "./settings.ts"

/**
 * Runs a router by the command line alone, or one that is told by its control socket, until it is asked to end.
 * Flags win over what its folder says.
 * Says `listening on ADDRESS` on stderr once users may come. Throws on a wrong flag.
 */
export async function runByOptions(options: RouterOptions): Promise<void> {
  const settings = options.dir === undefined ? {} : await readSettings(options.dir)
  const { routes, metrics, dir: kept, ...rest } = readOptions({ ...settings, ...options })
  const dir = kept ?? (await mkdtemp(join(tmpdir(), "immunity-router-")))
  try {
    await runRouter({
      ...rest,
      dir,
      table: routes && ((generation) => ({ app: "router", epoch: 1, generation, routes })),
      onServing: async ({ crew }) => {
        if (metrics !== undefined) process.stderr.write(`metrics on ${await serveMetrics(metrics, crew)}\n`)
        if (routes) process.stderr.write(`listening on ${crew.addresses.get("router/users")}\n`)
      },
    })
  } finally {
    if (kept === undefined) await rm(dir, { recursive: true, force: true })
  }
}
