import { afterAll, expect, it } from "vitest"
import { discard } from "../agent/artifacts.ts"
import { temporaryFolder } from "./demo/leftovers.ts"
import { stopAgent } from "./stop-agent.ts"

const dir = temporaryFolder("immunity-stop")
afterAll(() => discard(dir))

it("where no agent runs that is said at once, and nobody is asked whether to stop it", async () => {
  await expect(stopAgent({ dir })).rejects.toThrow(/no agent answers at .*: nothing was stopped/)
})
