import type { Command } from "commander"
import type { RouteView } from "../api/contract/views.ts"
import { exit, Stop } from "./client.ts"
import { nginxConfiguration, nginxLacks } from "./nginx.ts"
import { appName, base, type Common, client } from "./target.ts"

/** What other programs can be told of the present state. */
export function addExport(program: Command): void {
  const exported = program.command("export").description("the present routes for another program")
  base(exported, "nginx [app]", "pools and weights as a configuration of nginx, on stdout").action(
    async (given: string | undefined, options: Common) => {
      const app = appName(given)
      const routes = await client(options).get<RouteView[]>(`/v1/apps/${app}/routes`)
      if (routes.length === 0) throw new Stop(exit.undecided, `${app} has no routes yet`)
      // The configuration may be piped on: who orders it shall see this all the same.
      if (!options.json)
        for (const lack of nginxLacks(routes)) process.stderr.write(`not as Immunity does it: ${lack}\n`)
      process.stdout.write(
        options.json ? `${JSON.stringify(routes)}\n` : `${nginxConfiguration(app, routes)}\n`,
      )
    },
  )
}
