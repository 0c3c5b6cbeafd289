import { expect, it } from "vitest"
import type { Observed } from "../ports/agent.ts"
import { tellOfOwnMachine } from "./own-machine.ts"

it("whoever starts a control plane is told why its machine can run nothing, once, and when it can", async () => {
  const nobody = "no agent answers at agent.sock"
  const engine = "the agent refused: no container engine answers at /nope (ENOENT)"
  const answers = [nobody, nobody, engine, engine, undefined]
  const observe = async () => {
    const problem = answers.shift()
    if (problem !== undefined) throw new Error(problem)
    return {} as Observed
  }
  const said: string[] = []
  const clock = { now: () => 0, mono: () => 0, sleep: async () => undefined }
  await tellOfOwnMachine({ observe }, clock, (sentence) => said.push(sentence), new AbortController().signal)
  expect(said).toEqual([
    expect.stringContaining(
      "nothing can be built or started on this machine: the agent refused: no container engine",
    ),
    "instances can be started on this machine now",
  ])
  expect(answers).toEqual([])
})

it("an agent that answers is nothing to tell of, and one that never comes up is", async () => {
  const said: string[] = []
  let now = 0
  const ending = new AbortController()
  const clock = {
    now: () => 0,
    mono: () => now,
    sleep: async (ms: number) => {
      now += ms
      if (now > 60_000) ending.abort()
    },
  }
  const say = (sentence: string) => said.push(sentence)
  await tellOfOwnMachine({ observe: async () => ({}) as Observed }, clock, say, ending.signal)
  expect(said).toEqual([])
  now = 0
  const late = [true, false]
  const slow = async (_: readonly string[], signal: AbortSignal) => {
    if (late.shift())
      await new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)))
    return {} as Observed
  }
  await tellOfOwnMachine({ observe: slow }, clock, say, ending.signal)
  expect([said, late]).toEqual([[], []])
  const observe = () => Promise.reject(new Error("no agent answers at agent.sock"))
  await tellOfOwnMachine({ observe }, clock, say, ending.signal)
  expect(said).toEqual([expect.stringContaining("no agent answers")])
})
