import { describe, expect, it } from "vitest"
import type { RunningInstance } from "../ports/compute.ts"
import { limitedTo, machineCapacity } from "./capacity.ts"

const instance = (id: string, state: RunningInstance["state"] = "running"): RunningInstance => ({
  id,
  state,
  address: undefined,
  startedAt: 0,
  exit: undefined,
  memory: undefined,
  differences: [],
})

describe("what a server has room for", () => {
  it("is no more than what was declared, less what runs; what has ended takes no room", () => {
    const running = [instance("papi-1"), instance("papi-2"), instance("papi-3", "ended")]
    expect(limitedTo(5, running, {}).instances).toEqual({ total: 5, free: 3 })
    expect(limitedTo(1, running, {}).instances).toEqual({ total: 1, free: 0 })
  })

  it("is the narrower of what was declared and what a driver says", () => {
    const told = { instances: { total: 100, free: 1 }, cpus: { total: 4, free: 2 } }
    expect(limitedTo(5, [], told)).toEqual(told)
    expect(limitedTo(undefined, [], told)).toEqual(told)
    expect(limitedTo(5, [instance("a")], { instances: { total: 100, free: 50 } }).instances).toEqual({
      total: 5,
      free: 4,
    })
  })

  it("is never said to be free beyond what there is", () => {
    const { memory } = machineCapacity()
    if (memory) expect(memory.free).toBeLessThanOrEqual(memory.total)
  })
})
