import { journalContract } from "../testing/journal-contract.ts"
import { openStore } from "./store.ts"

journalContract("the SQLite store", async () => {
  let mono = 0
  const clock = { now: () => 1_700_000_000_000, mono: () => mono, sleep: async () => {} }
  const store = await openStore({ path: ":memory:", clock, foldCode: "one" })
  return {
    journal: store.journal,
    evidence: store.evidence,
    killSwitch: store.killSwitch,
    leases: store.leases,
    snapshots: store.snapshots,
    close: store.close,
    pass: async (ms) => {
      mono += ms
    },
  }
})
