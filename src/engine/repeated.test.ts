import { expect, it } from "vitest"
import { keptOf, otherThan } from "./repeated.ts"

const pause = { type: "pause", reason: "calm" } as const
const configure = (sealed: string) =>
  ({
    type: "configure",
    reason: "new key",
    changes: [{ key: "KEY", region: undefined, value: { sealed } }],
  }) as const
/** As it lies in the store. */
const stored = (kept: unknown): unknown => JSON.parse(JSON.stringify(kept))

it("the same order under its key is done; a secret that was sealed anew does not make it another one", () => {
  expect(otherThan(stored(keptOf(pause, 7)), { ...pause })).toBeUndefined()
  expect(otherThan(stored(keptOf(configure("a"), 7)), configure("b"))).toBeUndefined()
})

it("an order that was passed on is the same one, wherever the store put its keys", () => {
  const order = { type: "override", region: undefined, duration: 60_000, reason: "fire" } as const
  const passedOn = { duration: 60_000, reason: "fire", type: "override" } as typeof order
  expect(otherThan(stored(keptOf(passedOn, 7)), order)).toBeUndefined()
})

it("another order under a key that was used is refused, and not lost", () => {
  const kept = stored(keptOf(pause, 7))
  for (const other of [
    { type: "resume", rollout: undefined, reason: "calm" },
    { ...pause, reason: "storm" },
  ] as const)
    expect(otherThan(kept, other)?.code).toBe("key-reused")
})

it("of an order that a version before kept, only the key is known", () => {
  expect(otherThan({ version: 7 }, pause)).toBeUndefined()
})
