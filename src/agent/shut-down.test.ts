import { expect, it } from "vitest"
import { type ShutDown, shutDown } from "./shut-down.ts"

function world(more: Partial<ShutDown> = {}) {
  const done: string[] = []
  const parts: ShutDown = {
    instances: async () => ["papi-1", "papi-2", "papi-3"],
    compute: {
      stop: async (id) => {
        if (id === "papi-2") throw new Error("no container engine answers")
        done.push(`stopped ${id}`)
      },
      forget: async (id) => void done.push(`forgot ${id}`),
    },
    endWatching: async () => {
      done.push("nobody starts routers any more")
      return undefined
    },
    routers: async () => [4711],
    kill: (pid) => void done.push(`killed ${pid}`),
    ...more,
  }
  return { parts, done }
}

it("an instance that cannot be ended is told, and keeps neither its neighbours nor the router alive", async () => {
  const { parts, done } = world()
  expect(await shutDown(parts)).toEqual(["papi-2 was not ended: no container engine answers"])
  expect(done.sort()).toEqual([
    "forgot papi-1",
    "forgot papi-3",
    "killed 4711",
    "nobody starts routers any more",
    "stopped papi-1",
    "stopped papi-3",
  ])
})

it("an engine that cannot even say what runs keeps no router alive", async () => {
  const instances = async () => Promise.reject(new Error("no container engine answers"))
  const { parts, done } = world({ instances })
  expect(await shutDown(parts)).toEqual(["the instances are not known: no container engine answers"])
  expect(done).toEqual(["nobody starts routers any more", "killed 4711"])
})

it("a router that was begun a moment ago and does not answer yet is ended too, and none twice", async () => {
  const { parts, done } = world({
    instances: async () => [],
    endWatching: async () => 12,
    routers: async () => [],
  })
  expect(await shutDown(parts)).toEqual([])
  expect(done).toEqual(["killed 12"])
  const both = world({ instances: async () => [], endWatching: async () => 4711 })
  await shutDown(both.parts)
  expect(both.done).toEqual(["killed 4711"])
})

it("a router that is gone by then is told and no failure", async () => {
  const kill = () => {
    throw new Error("kill ESRCH")
  }
  expect(await shutDown(world({ instances: async () => [], kill }).parts)).toEqual([
    "the router 4711 was not ended: kill ESRCH",
  ])
})
