import { expect, it } from "vitest"
import { within } from "./within.ts"

/** Sleepers that wake when they are told to. */
function sleepers() {
  const wake: (() => void)[] = []
  const clock = {
    sleep: (_forMs: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        wake.push(resolve)
        signal?.addEventListener("abort", () => resolve())
      }),
  }
  return { wake, clock }
}

const untilAborted = (limit: AbortSignal) =>
  new Promise<string>((resolve) => limit.addEventListener("abort", () => resolve(String(limit.reason))))

it("what is done in time is not ended, also not later", async () => {
  const { wake, clock } = sleepers()
  let seen: AbortSignal | undefined
  const answer = await within(clock, 5_000, undefined, async (limit) => {
    seen = limit
    return "an answer"
  })
  for (const one of wake) one()
  await new Promise((resolve) => setImmediate(resolve))
  expect([answer, seen?.aborted]).toEqual(["an answer", false])
})

it("what takes too long is ended, with a sentence", async () => {
  const { wake, clock } = sleepers()
  const asked = within(clock, 5_000, undefined, untilAborted)
  for (const one of wake) one()
  expect(await asked).toBe("Error: it did not answer in time")
})

it("what is no longer asked for is ended, at once when it was not before it began", async () => {
  const { clock } = sleepers()
  const asking = new AbortController()
  const asked = within(clock, 5_000, asking.signal, untilAborted)
  asking.abort("nobody asks")
  expect(await asked).toBe("nobody asks")
  const seen = await within(clock, 5_000, asking.signal, async (limit) => limit.aborted)
  expect(seen).toBe(true)
})
