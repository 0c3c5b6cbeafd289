import type { HeldRouter, RouterState } from "../ports/router.ts"

const nothing: RouterState = {
  pid: undefined,
  apps: {},
  listeners: {},
  inFlight: {},
  released: [],
  degraded: undefined,
}

/**
 * In the place of a router on a server that has none. Users come through the routers of other servers, and those
 * have let go of an instance before this one is asked to.
 */
export const noRouter: HeldRouter = {
  can: { evenShares: false, keepsCounters: false, mirrors: "after", selections: [], holdsRequests: false },
  fence: async () => ({ kind: "applied" }),
  setRoutes: async () => ({ kind: "refused", code: "invalid", because: "this server has no router" }),
  release: async () => ({ kind: "released" }),
  state: async () => nothing,
  counters: async () => {
    throw new Error("this server has no router")
  },
  close: async () => undefined,
}
