import { expect, it } from "vitest"
import { Ledger } from "./ledger.ts"
import type { Parts } from "./parts.ts"
import type { RollbackBudget } from "./rollback-budget.ts"
import { Shelf } from "./shelf.ts"

const source = { url: "/papi", branch: "main" }
const added = { at: 1, by: "eva", because: "", event: { type: "app-added", source } } as const

/** What is stored: papi was added by the command of the given id. */
const ledgerAfter = (commandId: string): Ledger => {
  const journal = {
    read: async () => [{ ...added, stream: "papi", version: 1, sequence: 1, hash: "" }],
    commandResult: async (id: string) => (id === commandId ? { version: 0 } : undefined),
  } as unknown as Parts["journal"]
  const parts = { journal, room: () => undefined, killed: () => false }
  const budget = { spent: () => undefined, heard: () => undefined } as unknown as RollbackBudget
  return new Ledger("papi", parts, budget, { heard: () => undefined, fenced: () => undefined }, new Shelf(1))
}

it("an order that is given again because its answer was lost is done, not refused as already so", async () => {
  const ledger = ledgerAfter("one")
  await ledger.catchUp()
  const again = { type: "add-app", source, at: 2, by: "eva" } as const
  expect(await ledger.apply(again, "one")).toMatchObject({ kind: "done", events: [] })
  expect(await ledger.apply(again, "another")).toMatchObject({ kind: "refused" })
})
