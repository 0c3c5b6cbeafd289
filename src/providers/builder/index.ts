/** Every builder: one file, one line. */
export { processBuilder } from "./process.ts"
