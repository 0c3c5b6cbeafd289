/** Every source of commits: one file, one line. */
export { gitSource } from "./git.ts"
