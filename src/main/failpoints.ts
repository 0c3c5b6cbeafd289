import type { Agent } from "../ports/agent.ts"
import type { OnPersisted } from "../store/appends.ts"

/** Where a process may be killed on purpose: around every commit of the journal and every order to an agent. */
export type Failpoints = {
  readonly onPersisted: OnPersisted
  readonly around: (agent: Agent) => Agent
}

/**
 * For the campaign that kills at every step, `IMMUNITY_FAILPOINT` names one: `before-append` and `after-append` end
 * this process at the next append, `after-append:12` at the one that writes version 12; `before-setRoutes` (or any
 * other order) right before the next such order is sent, `after-setRoutes` when its answer is there and nobody here
 * has heard of it. Undefined without it: then nothing stands around anything.
 */
export function failpoints(wanted = process.env.IMMUNITY_FAILPOINT): Failpoints | undefined {
  if (!wanted) return undefined
  const at = (point: string): void => {
    if (wanted === point) process.kill(process.pid, "SIGKILL")
  }
  const pass = async <T>(verb: string, order: () => Promise<T>): Promise<T> => {
    at(`before-${verb}`)
    const answer = await order()
    at(`after-${verb}`)
    return answer
  }
  return {
    onPersisted: (point, version) => {
      at(point)
      at(`${point}:${version}`)
    },
    around: (agent) => ({
      ...agent,
      fence: (...order) => pass("fence", () => agent.fence(...order)),
      putSource: (...order) => pass("putSource", () => agent.putSource(...order)),
      runJob: (...order) => pass("runJob", () => agent.runJob(...order)),
      startInstance: (...order) => pass("startInstance", () => agent.startInstance(...order)),
      stopInstance: (...order) => pass("stopInstance", () => agent.stopInstance(...order)),
      setRoutes: (...order) => pass("setRoutes", () => agent.setRoutes(...order)),
      releaseInstance: (...order) => pass("releaseInstance", () => agent.releaseInstance(...order)),
    }),
  }
}
