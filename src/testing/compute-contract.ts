import { afterEach, beforeEach, describe, it } from "vitest"
import { computeRules } from "./compute-rules.ts"
import { type ComputeUnderTest, ComputeWorld } from "./compute-world.ts"

/** The rules of a compute driver, as tests. */
export function computeContract(name: string, open: () => Promise<ComputeUnderTest>): void {
  describe(`${name} keep the promises of a compute driver`, () => {
    let world: ComputeWorld

    beforeEach(async () => {
      world = new ComputeWorld(await open())
    })
    afterEach(async () => {
      await world.clear()
      await world.under.close()
    })

    for (const { title, keep, cannot } of computeRules)
      it(title, async (test) => {
        const because = cannot?.(world)
        if (because !== undefined) test.skip(because)
        await keep(world)
      })
  })
}
