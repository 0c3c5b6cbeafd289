/**
 * What takes seconds on a machine of its own gets three minutes for each minute that a test speaks of: a machine that
 * stands still at times is no mistake of ours, and nobody waits for so long unless something is wrong.
 */
export const minutes = 180_000

/** Asks every 50 ms until it finds what it waits for; what throws is asked again. Throws after `patienceMs`. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  patienceMs = minutes,
  now: () => Promise<string> = async () => "",
): Promise<T> {
  const deadline = performance.now() + patienceMs
  let last = ""
  while (performance.now() < deadline) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      last = error instanceof Error ? error.message : String(error)
    }
    await pause(50)
  }
  throw new Error(`waited ${patienceMs / 1_000} s for ${what}; now: ${(await now()) || last}`)
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
