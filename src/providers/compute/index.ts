/** Every compute driver: one file, one line. */
export { processCompute } from "./process.ts"
