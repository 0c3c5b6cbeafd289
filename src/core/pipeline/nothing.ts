import { noConfiguration } from "../model/configuration.ts"
import type { Application } from "./application.ts"

/** An application before its first event. */
export const nothing = (app: string): Application => ({
  app,
  source: { url: "", branch: "" },
  paused: undefined,
  commits: [],
  buildAttempts: {},
  releases: {},
  configuration: noConfiguration,
  regions: [],
  rollouts: {},
  nextRollout: 1,
  nextRelease: 1,
  locks: [],
  nextLock: 1,
  quarantine: {},
  automaticRollbacks: [],
})
