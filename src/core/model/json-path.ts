/**
 * Where a number stands in a JSON answer: `data.0.value`, or, where a key has dots, a JSON pointer (RFC 6901) such
 * as `/data/0/http.rate`. Throws on an empty part.
 */
export function readJsonPath(text: string): readonly string[] {
  const pointer = text.startsWith("/")
  const parts = pointer
    ? text
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    : text.split(".")
  if (!pointer && parts.some((part) => part === ""))
    throw new Error(`${JSON.stringify(text)} is not a path: write data.0.value, or /data/0/value`)
  return parts
}

/**
 * What stands there; undefined where an answer is empty: null, or an empty list or object on the way. Throws, and
 * says what there is instead, where the path does not fit.
 */
export function atJsonPath(answer: unknown, path: readonly string[]): unknown {
  let now = answer
  for (const [i, part] of path.entries()) {
    if (now === null || now === undefined) return undefined
    if (typeof now !== "object")
      throw new Error(`its answer has no ${path.join(".")}: at ${placeOf(path, i)} is ${JSON.stringify(now)}`)
    const keys = Object.keys(now)
    if (keys.length === 0) return undefined
    if (!Object.prototype.propertyIsEnumerable.call(now, part)) {
      const there = Array.isArray(now) ? `${now.length} items` : keys.slice(0, 8).join(", ").slice(0, 200)
      throw new Error(`its answer has no ${path.join(".")}: ${placeOf(path, i)} has ${there}`)
    }
    now = (now as Record<string, unknown>)[part]
  }
  return now ?? undefined
}

const placeOf = (path: readonly string[], i: number): string => (i === 0 ? "it" : path.slice(0, i).join("."))
