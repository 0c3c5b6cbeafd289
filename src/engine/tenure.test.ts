import { expect, it } from "vitest"
import type { Leases } from "../ports/leases.ts"
import { Tenure } from "./tenure.ts"

it("while the store does not answer it says what the store waits for, and no longer once it has answered", async () => {
  const ending = new AbortController()
  const sleeps: { readonly end: () => void }[] = []
  const clock = {
    now: () => 0,
    mono: () => 0,
    sleep: (_for: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleeps.push({ end: resolve })
        signal?.addEventListener("abort", () => resolve())
      }),
  }
  const presence = Promise.withResolvers<{ readonly key: string; readonly epoch: number }>()
  const leases = {
    acquire: () => presence.promise,
    waitsFor: async () => "PostgreSQL waits for a standby",
    release: async () => undefined,
  } as unknown as Leases
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const tenure = new Tenure({ leases, clock, owner: "one", log }, async () => undefined)
  const held = tenure.hold(ending.signal)
  expect(tenure.problem).toBeUndefined()
  sleeps[0]?.end()
  await expect.poll(() => tenure.problem).toBe("PostgreSQL waits for a standby")
  presence.resolve({ key: "plane/one", epoch: 1 })
  await expect.poll(() => tenure.problem).toBeUndefined()
  ending.abort()
  await held
})
