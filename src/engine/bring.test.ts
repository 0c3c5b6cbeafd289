import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { expect, it } from "vitest"
import type { Agent, Ordered } from "../ports/agent.ts"
import { Bringing } from "./bring.ts"
import { defaultPace } from "./parts.ts"

const digest = `sha256:${"d".repeat(64)}` as const
const fence = () => ({ app: "papi", epoch: 1, generation: 1 })
const refused = (because: string, code?: "not-fetched"): Ordered => ({ kind: "refused", because, code })

const clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 10)),
}

/** Two servers, of which the first has it; the other one answers in turn, and what it was sent is told. */
function between(...answers: readonly Ordered[]) {
  const [sent, warned]: [string[], string[]] = [[], []]
  const left = [...answers]
  const from: Partial<Agent> = {
    server: "a",
    hasArtifact: async () => true,
    getArtifact: async (_digest, _signal, lean) => Readable.from([lean ? "lean" : "whole"]),
    putArtifact: async () => refused("it has it"),
  }
  const to: Partial<Agent> = {
    server: "b",
    hasArtifact: async () => false,
    putArtifact: async (_fence, _digest, tar) => {
      sent.push(await text(tar))
      return left.shift() ?? refused("asked once too often")
    },
  }
  const agents = new Map([from, to].map((agent) => [agent.server ?? "", agent as Agent]))
  const log = {
    info: () => undefined,
    warn: (_fields: object, message: string) => void warned.push(message),
    error: () => undefined,
  }
  const bringing = new Bringing({ agents, clock, pace: defaultPace, log })
  const bring = () => bringing.bring(fence, digest, to as Agent, AbortSignal.timeout(30_000))
  return { bring, sent, warned }
}

it("what others can fetch from a registry is not sent", async () => {
  const { bring, sent, warned } = between({ kind: "done" })
  await bring()
  expect([sent, warned]).toEqual([["lean"], []])
})

it("what could not be fetched is sent by the server that has it, and the registry's trouble is told", async () => {
  const { bring, sent, warned } = between(refused("the registry is down", "not-fetched"), { kind: "done" })
  await bring()
  expect(sent).toEqual(["lean", "whole"])
  expect(warned).toEqual(["the registry is down; it is sent by a instead"])
})

it("what is refused for what it is, is not sent a second time", async () => {
  const { bring, sent } = between(refused("it is another image"))
  await expect(bring()).rejects.toThrow("it is another image")
  expect(sent).toEqual(["lean"])
})

it("where it comes neither way, both reasons are told", async () => {
  const { bring } = between(refused("the registry is down", "not-fetched"), refused("the disk is full"))
  await expect(bring()).rejects.toThrow("the registry is down; and from a: the disk is full")
})
