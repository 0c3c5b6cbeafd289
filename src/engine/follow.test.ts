import { describe, expect, it } from "vitest"
import type { StoredEvent } from "../ports/journal.ts"
import { Follower } from "./follow.ts"
import { defaultPace, type Parts } from "./parts.ts"
import { JournalWentBack } from "./went-back.ts"

const event = (sequence: number, hash = `first ${sequence}`): StoredEvent => ({
  ...{ stream: "papi", version: sequence, sequence, hash, at: 1, by: "eva", because: "" },
  event: { type: "app-paused", reason: "" },
})
const upTo = (last: number): StoredEvent[] => Array.from({ length: last }, (_, i) => event(i + 1))

/** A follower of a journal that the test writes, what it handed over and why it ended. */
function following(journal: { events: readonly StoredEvent[] }) {
  const heard: number[] = []
  const ends: JournalWentBack[] = []
  const parts = {
    journal: {
      feed: async (after: number, limit: number) =>
        journal.events.filter(({ sequence }) => sequence > after).slice(0, limit),
    },
    clock: { now: () => 0, mono: () => 0, sleep: async () => {} },
    pace: defaultPace,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    wentBack: (error: JournalWentBack) => ends.push(error),
  } as unknown as Parts
  return { follower: new Follower(parts, ({ sequence }) => heard.push(sequence)), heard, ends }
}

describe("who follows the journal", () => {
  it("hears each event once and in order, over pages and gaps", async () => {
    const journal = { events: upTo(1_203).filter(({ sequence }) => sequence % 7 !== 3) }
    const { follower, heard, ends } = following(journal)
    await follower.readOn()
    await follower.readOn()
    journal.events = [...journal.events, event(1_300), event(1_301)]
    await follower.readOn()
    expect(heard).toEqual(journal.events.map(({ sequence }) => sequence))
    expect(ends).toEqual([])
  })

  it("goes on after a start in the middle, and hears nothing of what was before", async () => {
    const journal = { events: upTo(10) }
    const { follower, heard } = following(journal)
    follower.startAfter(10)
    await follower.readOn()
    journal.events = upTo(12)
    await follower.readOn()
    expect(heard).toEqual([11, 12])
  })

  it("ends when the last event that it heard is gone, even when newer ones stand behind its place", async () => {
    for (const later of [[], [event(43, "second 43")]]) {
      const journal = { events: upTo(10) }
      const { follower, heard, ends } = following(journal)
      await follower.readOn()
      journal.events = [...upTo(8), ...later]
      await expect(follower.readOn()).rejects.toThrow(JournalWentBack)
      expect(ends[0]?.message).toMatch(/event 10 of papi .* was read, and is not there any more/)
      expect(heard).toHaveLength(10)
    }
  })

  it("ends when its sequence was given to another event, below which nothing new would be heard", async () => {
    const journal = { events: upTo(10) }
    const { follower, ends } = following(journal)
    await follower.readOn()
    journal.events = [...upTo(8), event(9, "second 9"), event(10, "second 10"), event(11, "second 11")]
    await expect(follower.readOn()).rejects.toThrow(/with another hash/)
    expect(ends).toHaveLength(1)
  })

  it("ends when the position that it started from is gone", async () => {
    const journal = { events: upTo(9) }
    const { follower, ends } = following(journal)
    follower.startAfter(10)
    await expect(follower.readOn()).rejects.toThrow(/the event with sequence 10 was read/)
    expect(ends[0]?.message).toMatch(/what runs keeps running. Start it again/)
  })
})
