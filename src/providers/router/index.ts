import { embeddedRouter } from "./embedded.ts"

/** Every router: one file, one line. */
export const routers = { embedded: embeddedRouter }
