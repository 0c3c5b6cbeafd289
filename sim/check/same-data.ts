/**
 * Whether two values say the same as JSON. Both sides mostly hold the very same parts, which are not looked into: that
 * is what makes it cheaper than writing both out.
 */
export function sameData(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [one, other] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>]
  for (const key in one) if (!sameData(one[key], other[key])) return false
  // What is undefined is not written.
  for (const key in other) if (other[key] !== undefined && one[key] === undefined) return false
  return true
}
