/** Whether a path matches one of the globs: `**` any folders, `*` anything but `/`, `?` one character. */
export const matchesAny = (globs: readonly string[], path: string): boolean =>
  globs.some((glob) => matches(glob.split("/"), path.split("/")))

function matches(glob: readonly string[], path: readonly string[]): boolean {
  const [head, ...rest] = glob
  if (head === undefined) return path.length === 0
  if (head === "**") return matches(rest, path) || (path.length > 0 && matches(glob, path.slice(1)))
  const [first, ...others] = path
  return first !== undefined && matchesName(head, first) && matches(rest, others)
}

/** Two pointers with one memory of the last star: linear, whatever the pattern. */
function matchesName(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  let star = -1
  let mark = 0
  while (n < name.length) {
    if (pattern[p] === "?" || (pattern[p] === name[n] && pattern[p] !== "*")) {
      p++
      n++
    } else if (pattern[p] === "*") {
      star = p++
      mark = n
    } else if (star >= 0) {
      p = star + 1
      n = ++mark
    } else return false
  }
  while (pattern[p] === "*") p++
  return p === pattern.length
}
