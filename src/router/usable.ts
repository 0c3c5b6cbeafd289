import type { Instance } from "./instance.ts"

type HasInstance = { readonly instance: Instance }

/** Of a pool at most this share, and at least one, is left alone at a time: what all do is not one's fault. */
const mostEjected = 0.1

/** Below this share of well instances a last pool asks all of them: few would only be trampled. */
const panicBelow = 0.5

function areWell(members: readonly HasInstance[], now: number): boolean {
  for (const { instance } of members) if (instance.mark !== undefined || instance.isEjected(now)) return false
  return true
}

/**
 * Those of `left` that may be asked now; empty when nobody of this pool should be. `isLast`: there is no pool
 * to fall back to, so rather one that looks ill than nobody. One that has never passed is asked in no case.
 */
export function usableOf<M extends HasInstance>(
  all: readonly M[],
  left: readonly M[],
  isLast: boolean,
  now: number,
): readonly M[] {
  if (areWell(left, now)) return left
  const proven = left.filter(({ instance }) => instance.mark !== "unproven")
  const well = proven.filter(({ instance }) => instance.mark !== "failing")
  const wellOfAll = all.filter(({ instance }) => instance.mark === undefined).length
  const asked = isLast && wellOfAll < all.length * panicBelow ? proven : well
  const honoured = new Set(
    all
      .filter(({ instance }) => instance.isEjected(now))
      .slice(0, Math.max(1, Math.floor(all.length * mostEjected)))
      .map(({ instance }) => instance),
  )
  const fit = asked.filter(({ instance }) => !honoured.has(instance))
  return fit.length > 0 ? fit : asked
}
