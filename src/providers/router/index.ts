import { embeddedRouter } from "./embedded.ts"
import { Haproxy } from "./haproxy/haproxy.ts"

/** Every router by the name that immunity.yaml knows it by: one file or folder, one line. */
export const routers = { embedded: embeddedRouter, haproxy: Haproxy.open }
