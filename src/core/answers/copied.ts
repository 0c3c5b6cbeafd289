/** A request of a user that was copied to the candidate, with what tells who asked taken out of it. */
export type CopiedRequest = {
  /** Milliseconds since 1970, by the router's clock. */
  readonly at: number
  /** GET or HEAD. */
  readonly method: string
  readonly target: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
}

/** Whether one of the patterns is the whole path: a star is any text, upper and lower case are the same. */
export function isDenied(patterns: readonly string[], target: string): boolean {
  if (patterns.length === 0) return false
  const path = target.replace(/[?#].*$/s, "")
  const readings = path.includes("%") ? [path, decoded(path)] : [path]
  // What cannot be read is not asked for twice.
  return readings.some((one) => one === undefined || patterns.some((pattern) => asRegExp(pattern).test(one)))
}

const asRegExp = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .split(/\*+/)
      .map((text) => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
    "is",
  )

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
