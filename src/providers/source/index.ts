import { gitSource } from "./git.ts"

/** Every source of commits: one file, one line. */
export const sources = {
  git: gitSource,
} as const
