import type { InstanceId, ServerName } from "../core/model/ids.ts"
import type { Observed } from "../ports/agent.ts"

/** A server on which these instances are ready, each of the application that its name begins with; nothing else is there. */
export const serverWith = (server: ServerName, ids: readonly InstanceId[]): Observed => ({
  server,
  at: 0,
  instances: ids.map((id) => ({
    id,
    app: id.split("-")[0] ?? "",
    state: "ready",
    address: "127.0.0.1:1",
    startedAt: 0,
    exit: undefined,
    memory: undefined,
    differences: [],
    probe: undefined,
  })),
  jobs: [],
  router: undefined,
  routerProblem: undefined,
  diskFree: 1,
})
