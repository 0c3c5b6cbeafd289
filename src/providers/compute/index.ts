/** Every compute driver: one file, one line. */
export { dockerCompute } from "./docker.ts"
export { processCompute } from "./process.ts"
export { scriptCompute } from "./script.ts"
