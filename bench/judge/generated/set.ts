import type { CaseSet } from "../set.ts"
import { makeCase } from "./case.ts"
import { badKinds, goodKinds } from "./kinds.ts"

/**
 * Cases that nobody has seen: as many good and bad ones, the kinds in turn. The same seed gives the same cases; each
 * is made anew when it is asked for.
 */
export function generatedSet(seed: number, good: number, bad: number): CaseSet {
  const makes = [goodKinds, badKinds].flatMap((kinds, i) => {
    const all = Object.entries(kinds)
    return Array.from({ length: i === 0 ? good : bad }, (_, k) => all[k % all.length]).flatMap((kind) =>
      kind ? [kind] : [],
    )
  })
  const cases = makes.map(([kind, make], i) => {
    const name = `g${String(i + 1).padStart(4, "0")}`
    return { name, of: () => makeCase(name, kind, make, seed * 100_003 + i) }
  })
  const byName = new Map(cases.map(({ name, of }) => [name, of]))
  return {
    labels: cases.map(({ of }) => of().label),
    lines: (name) => (byName.get(name)?.().lines ?? []).map((line) => JSON.stringify(line)),
  }
}
