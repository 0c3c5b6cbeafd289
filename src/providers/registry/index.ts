/** Every kind of registry: one file, one line. */
export { distributionRegistry } from "./distribution.ts"
