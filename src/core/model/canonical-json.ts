/**
 * JSON with one spelling per value: keys sorted by code unit, no spaces, keys with `undefined` left out. What
 * is hashed is hashed in this form. Throws, naming the path, for what JSON cannot carry and would silently
 * turn into something else: NaN, infinities, bigints, functions, and objects that are not plain.
 */
export function canonicalJson(value: unknown): string {
  return write(value, "value", 0)
}

const deepest = 200

function write(value: unknown, path: string, depth: number): string {
  if (depth > deepest)
    throw new Error(`cannot be stored: ${path.slice(0, 200)}… is nested deeper than ${deepest} levels`)
  if (value === null) return "null"
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value)
    case "number":
      if (!Number.isFinite(value))
        throw new Error(`cannot be stored: ${path} is ${value}, which JSON has no word for`)
      return JSON.stringify(value)
    case "object":
      return Array.isArray(value) ? writeArray(value, path, depth) : writeObject(value, path, depth)
    default:
      throw new Error(`cannot be stored: ${path} is of type ${typeof value}`)
  }
}

function writeArray(items: readonly unknown[], path: string, depth: number): string {
  return `[${items.map((item, i) => write(item, `${path}[${i}]`, depth + 1)).join(",")}]`
}

function writeObject(object: object, path: string, depth: number): string {
  const prototype = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null)
    throw new Error(
      `cannot be stored: ${path} is a ${object.constructor?.name ?? "special object"}, not plain data`,
    )
  const fields = Object.entries(object)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, field]) => `${JSON.stringify(key)}:${write(field, `${path}.${key}`, depth + 1)}`)
  return `{${fields.join(",")}}`
}
