/** How long and how much; durations in milliseconds. */
export type GitLimits = {
  /** For a question to the repository or the mirror. */
  readonly askMs: number
  /** For fetching, the first time the whole history, and for sending a tree. */
  readonly fetchMs: number
  /** Changed paths that are named of one commit; the others are left out. */
  readonly paths: number
  /** Bytes of immunity.yaml; of a longer one, only so many blanks and one more come, and its reader refuses it. */
  readonly configBytes: number
  /** Bytes of one tree as a tar. */
  readonly archiveBytes: number
}

export const defaultLimits: GitLimits = {
  askMs: 20_000,
  fetchMs: 300_000,
  paths: 5_000,
  configBytes: 256 * 1024,
  archiveBytes: 2 * 1024 * 1024 * 1024,
}

export const megabyte = 1024 * 1024
