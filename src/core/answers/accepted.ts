/** Whether a person accepted a change at this path for this release: the path itself or one above it. */
export function isAccepted(accepted: readonly string[], endpoint: string, path: string): boolean {
  return accepted.some((pattern) => {
    const bare = /^[A-Z]+ \//.test(pattern)
      ? pattern.startsWith(`${endpoint} `)
        ? pattern.slice(endpoint.length + 1)
        : undefined
      : pattern
    return bare !== undefined && (path === bare || path.startsWith(`${bare}.`) || path.startsWith(`${bare}[`))
  })
}

/** What is wrong with a path that somebody wants to accept, in a sentence; undefined when nothing is. */
export function pathProblem(path: string): string | undefined {
  const bare = path.replace(/^[A-Z]+ \/\S* /, "")
  return /^(status|header [a-z-]+|body([.[].{1,300})?)$/.test(bare)
    ? undefined
    : `"${path}" is no path of an answer; say for example status, "header content-type", body.price, or "GET /items body.price"`
}
