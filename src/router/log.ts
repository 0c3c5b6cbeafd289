/** Writes one structured line. */
export type Log = (
  level: "info" | "warn" | "error",
  message: string,
  more?: Readonly<Record<string, unknown>>,
) => void

/** Lines of JSON on standard output. Nobody reading them is no reason to stop. */
export function logToStdout(): Log {
  process.stdout.on("error", () => undefined)
  return (level, message, more) => {
    process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...more })}\n`)
  }
}
