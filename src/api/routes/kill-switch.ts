import type { FastifyInstance } from "fastify"
import { actorOf } from "../access.ts"
import { Reason } from "../contract/commands.ts"
import type { KillSwitchView } from "../contract/views.ts"
import type { ApiParts } from "../parts.ts"
import { check } from "./commands.ts"

/** The switch that stops every change of every application, on all control planes. */
export function killSwitchRoutes(api: FastifyInstance, { killSwitch }: ApiParts): void {
  const now = (): KillSwitchView => {
    const because = killSwitch.because()
    return { set: because.length > 0, because: [...because] }
  }
  api.get("/v1/kill-switch", async () => now())
  api.post("/v1/kill-switch/set", async (request) => {
    await killSwitch.set(actorOf(request), check(Reason, request.body).reason)
    return now()
  })
  api.post("/v1/kill-switch/lift", async (request) => {
    await killSwitch.lift(actorOf(request), check(Reason, request.body).reason)
    return now()
  })
}
