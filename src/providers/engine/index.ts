/** Every container engine: one file, one line. */
export { dockerEngine } from "./docker.ts"
