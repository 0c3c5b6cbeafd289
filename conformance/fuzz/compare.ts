import { Chance } from "./chance.ts"
import { readWithLlhttp } from "./llhttp.ts"
import { type OurReading, readWithOurs } from "./ours.ts"
import type { Reading, ReadMessage } from "./reading.ts"

/** What came of one case. All but the last four are as they should be. */
export type Outcome =
  /** Both read the same requests, and stopped for the same reason. */
  | "same"
  /** Both refuse it. */
  | "both-refuse"
  /** The router refuses, or does not read on, where llhttp would. */
  | "stricter"
  /** llhttp has refused already; the router waits for more, takes nothing as a request, and a timeout ends it. */
  | "waits"
  /** The router takes a request that llhttp does not: a door for smuggling. */
  | "accepted-only-by-us"
  /** Both take a request and understand it differently. */
  | "read-differently"
  /** What the router would send on is read by llhttp as something else than what came. */
  | "rewritten-differently"
  /** The same bytes in other pieces are read differently. */
  | "cut-differently"

export type Compared = {
  readonly outcome: Outcome
  /** Why, in words that are the same for all cases of one class. */
  readonly because: string
}

export type Reader = (bytes: Buffer, cuts?: readonly number[]) => OurReading

const faults: readonly Outcome[] = [
  "accepted-only-by-us",
  "read-differently",
  "rewritten-differently",
  "cut-differently",
]

export const isFault = (outcome: Outcome): boolean => faults.includes(outcome)

/** Reads the same bytes with both readers and says how they differ. */
export function compare(bytes: Buffer, seed: number, read: Reader = readWithOurs): Compared {
  const ours = read(bytes)
  const isUpgraded = ours.stopped.kind === "closed" && ours.messages.at(-1)?.keepAlive === true
  const theirs = readWithLlhttp(bytes, isUpgraded ? ours.messages.length - 1 : undefined)
  return (
    differentMessage(ours, theirs) ??
    differentWhenRewritten(ours) ??
    differentWhenCut(bytes, ours, new Chance(seed), read) ??
    differentEnd(ours, theirs)
  )
}

function differentMessage(ours: Reading, theirs: Reading): Compared | undefined {
  for (const [at, mine] of ours.messages.entries()) {
    const other = theirs.messages[at]
    if (!other) {
      const { stopped } = theirs
      const why = stopped.kind === "refused" ? stopped.because : stopped.kind
      return { outcome: "accepted-only-by-us", because: `llhttp: ${why}` }
    }
    const part = differentPart(mine, other)
    if (part !== undefined) return { outcome: "read-differently", because: part }
  }
  return undefined
}

function differentPart(mine: ReadMessage, other: ReadMessage): string | undefined {
  if (mine.method !== other.method) return "method"
  if (mine.target !== inOriginForm(other.target)) return "target"
  if (mine.minor !== other.minor) return "version"
  if (mine.body !== other.body) return "body"
  if (JSON.stringify(mine.fields) !== JSON.stringify(other.fields)) return "fields"
  // The other way round the router ends the connection sooner: nothing can be hidden behind that.
  if (mine.keepAlive && !other.keepAlive) return "whether another request may follow"
  return undefined
}

/** RFC 9112 3.2.2: a target with an authority goes on as the path in it. */
function inOriginForm(target: string): string {
  const match = /^https?:\/\/[^/?]*(.*)$/i.exec(target)
  if (!match) return target
  const [, rest = ""] = match
  return rest.startsWith("/") ? rest : `/${rest}`
}

function differentWhenRewritten({ messages, written }: OurReading): Compared | undefined {
  for (const [at, message] of messages.entries()) {
    const { messages: again, stopped } = readWithLlhttp(written[at] ?? Buffer.alloc(0), 0)
    const [other] = again
    const isOne = again.length === 1 && (stopped.kind === "finished" || stopped.kind === "closed")
    if (!isOne || !other) return { outcome: "rewritten-differently", because: "not one request" }
    if (other.method !== message.method || other.target !== message.target || other.body !== message.body)
      return { outcome: "rewritten-differently", because: "method, target or body" }
    if (other.minor !== 1) return { outcome: "rewritten-differently", because: "version" }
  }
  return undefined
}

function differentWhenCut(
  bytes: Buffer,
  whole: OurReading,
  chance: Chance,
  read: Reader,
): Compared | undefined {
  const cuts =
    chance.below(8) === 0
      ? Array.from(bytes.keys())
      : [chance.below(bytes.length + 1), chance.below(bytes.length + 1)].sort((a, b) => a - b)
  const cut = read(bytes, cuts)
  if (JSON.stringify(cut.messages) !== JSON.stringify(whole.messages))
    return { outcome: "cut-differently", because: "requests" }
  if (cut.stopped.kind !== whole.stopped.kind)
    return { outcome: "cut-differently", because: `${whole.stopped.kind}, in pieces ${cut.stopped.kind}` }
  return undefined
}

function differentEnd(ours: Reading, theirs: Reading): Compared {
  const mine = ours.stopped
  const other = theirs.stopped
  const isFurther = theirs.messages.length > ours.messages.length
  if (mine.kind === "refused")
    return other.kind === "refused" && !isFurther
      ? { outcome: "both-refuse", because: "" }
      : { outcome: "stricter", because: mine.because }
  if (isFurther) return { outcome: "stricter", because: `ours is ${mine.kind}` }
  if (other.kind === "refused") return { outcome: "waits", because: other.because }
  if (mine.kind === other.kind) return { outcome: "same", because: "" }
  return { outcome: "stricter", because: `ours is ${mine.kind}, llhttp ${other.kind}` }
}
