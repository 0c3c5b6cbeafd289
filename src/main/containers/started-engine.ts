/** An engine's own part of being started and ended in a folder. */
export type StartedEngine = {
  readonly socket: string
  /** How a person would speak with it: the words before the command's own, and the environment. */
  readonly command: readonly [string, ...string[]]
  readonly env: NodeJS.ProcessEnv
  readonly logFile: string
  readonly ended: boolean
  /** Makes its folder and starts it; it need not answer yet. */
  readonly launch: () => Promise<void>
  /** Ends it with all its containers, waiting in place; its folder stays. */
  readonly end: () => void
}
