import { expect, it } from "vitest"
import type { StoredEvent } from "../ports/journal.ts"
import { Ledger } from "./ledger.ts"
import type { Parts } from "./parts.ts"
import type { RollbackBudget } from "./rollback-budget.ts"
import { Shelf } from "./shelf.ts"
import type { JournalWentBack } from "./went-back.ts"

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

const stored = (version: number, hash: string): StoredEvent => ({
  ...(version === 1 ? added : { ...added, event: { type: "app-resumed", reason: "" } as const }),
  ...{ stream: "papi", version, sequence: version, hash },
})

/** A ledger that knows two events, over a journal that has become another one. */
const ledgerOver = async (now: readonly StoredEvent[], answers: readonly string[] = ["conflict"]) => {
  let asked = 0
  let events: readonly StoredEvent[] = [stored(1, "a"), stored(2, "b")]
  const ends: JournalWentBack[] = []
  const journal = {
    read: async (_: string, after: number) => events.slice(after),
    append: async () => ({ kind: answers[Math.min(asked++, answers.length - 1)], result: { version: 2 } }),
    commandResult: async () => undefined,
  } as unknown as Parts["journal"]
  const wentBack = (error: JournalWentBack) => void ends.push(error)
  const parts = { journal, room: () => undefined, killed: () => false, wentBack }
  const budget = {
    spent: () => undefined,
    heard: () => undefined,
    takes: () => false,
    during: (_app: string, _events: unknown, store: () => unknown) => store(),
  } as unknown as RollbackBudget
  const ledger = new Ledger("papi", parts, budget, { heard: () => {}, fenced: () => {} }, new Shelf(1))
  await ledger.catchUp()
  events = now
  return { ledger, ends }
}
const goOn = { type: "pause", reason: "calm", at: 3, by: "eva" } as const

it("an order to a journal that is behind what was read of it ends the control plane, and is not tried for ever", async () => {
  const { ledger, ends } = await ledgerOver([stored(1, "a")])
  await expect(ledger.apply(goOn)).rejects.toThrow(/the journal went back: event 2 of papi was read/)
  expect(ends).toHaveLength(1)
})

it("a journal in which other events stand where some were read is not folded on top of those", async () => {
  const { ledger, ends } = await ledgerOver([stored(1, "a"), stored(2, "other"), stored(3, "more")])
  await expect(ledger.apply(goOn)).rejects.toThrow(/event 2 of papi is another one/)
  expect(() => ledger.take([stored(2, "other")])).toThrow(/is another one/)
  expect([ledger.version, ends.length]).toEqual([2, 2])
})

it("a conflict that is not about the journal is tried once more, and ends nothing", async () => {
  const { ledger, ends } = await ledgerOver([stored(1, "a"), stored(2, "b")], ["conflict", "duplicate"])
  expect(await ledger.apply(goOn, "one")).toMatchObject({ kind: "done", events: [] })
  expect(ends).toEqual([])
})
