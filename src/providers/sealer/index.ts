/** Every sealer: one file, one line. */
export { aesSealer } from "./aes.ts"
