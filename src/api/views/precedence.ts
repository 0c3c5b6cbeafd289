/** A version as SemVer 2.0.0 writes it; what follows a + says nothing about its order. */
const form = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/

/**
 * Which of two versions goes before the other (SemVer 2.0.0, 11): below 0 when it is the first, above when it is the
 * second, 0 when neither; undefined where one of them is not a version.
 */
export function precedence(a: string, b: string): number | undefined {
  const [ofA, ofB] = [form.exec(a), form.exec(b)]
  if (!ofA || !ofB) return undefined
  const [before, after] = [ofA[4]?.split("."), ofB[4]?.split(".")]
  const release = firstDifference(ofA.slice(1, 4), ofB.slice(1, 4))
  if (release !== 0) return release
  // What leads up to a release goes before it.
  if (!before || !after) return Number(!before) - Number(!after)
  return firstDifference(before, after)
}

/** Part by part; of two that begin alike the longer one goes after the other. */
function firstDifference(a: readonly string[], b: readonly string[]): number {
  for (const [at, part] of a.entries()) {
    const other = b[at]
    if (other === undefined) return 1
    const order = compare(part, other)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** Numbers by their value and before all else, which goes by its letters in ASCII. */
function compare(a: string, b: string): number {
  const [isA, isB] = [a, b].map((part) => /^\d+$/.test(part))
  if (isA !== isB) return isA ? -1 : 1
  if (isA && BigInt(a) !== BigInt(b)) return BigInt(a) < BigInt(b) ? -1 : 1
  if (isA || a === b) return 0
  return a < b ? -1 : 1
}
