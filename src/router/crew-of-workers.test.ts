import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import {
  ask,
  Cleanup,
  fetchFrom,
  inFrontOf,
  instance,
  named,
  pool,
  rawClient,
  routeTo,
  type SeenState,
  TestRouter,
  until,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

type Load = {
  /** From now on only this answer is right; undefined: any of them. */
  settle: (answer: string | undefined) => void
  readonly stop: () => Promise<{ readonly requests: number; readonly failures: readonly string[] }>
}

/** Clients that keep their connections, as browsers do. */
function underLoad(address: string, clients: number): Load {
  const [host, port] = address.split(":")
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  let settled: string | undefined
  let running = true
  let requests = 0
  const failures: string[] = []
  const one = () =>
    new Promise<void>((resolve) => {
      const before = settled
      const asked = request({ host, port, agent }, (answer) => {
        let body = ""
        answer.setEncoding("latin1").on("data", (chunk: string) => {
          body += chunk
        })
        answer.on("error", (error) => failures.push(error.message))
        answer.on("end", () => {
          if (answer.statusCode !== 200) failures.push(String(answer.statusCode))
          // What was settled while the request was under way binds nobody.
          else if (before !== undefined && before === settled && body !== before)
            failures.push(`stale: ${body}`)
        })
        answer.on("close", resolve)
      })
      asked.on("error", (error) => {
        failures.push(error.message)
        resolve()
      })
      asked.end()
    })
  const client = async () => {
    while (running) {
      await one()
      requests += 1
    }
  }
  const all = Array.from({ length: clients }, client)
  return {
    settle: (answer) => {
      settled = answer
    },
    stop: async () => {
      running = false
      await Promise.all(all)
      agent.destroy()
      return { requests, failures }
    },
  }
}

const workersOf = async (router: TestRouter) => {
  const told = (await router.control("GET", "/state")).body as SeenState & {
    readonly workers: readonly number[]
  }
  return told.workers
}

describe("several workers", () => {
  it("47: have all heard of a swap when it is acknowledged: nobody fails, nobody gets a stale answer", async () => {
    const pools = [await named(cleanup, "one"), await named(cleanup, "two")] as const
    const router = await TestRouter.open(cleanup, {}, { workers: 2 })
    const weights = (first: number) =>
      routeTo([pool("r1", first, pools[0]), pool("r2", 100 - first, pools[1])])
    await router.route(weights(100))
    const load = underLoad(await router.address(), 8)
    for (let swap = 0; swap < 30; swap++) {
      load.settle(undefined)
      await router.route(weights(swap % 2 === 0 ? 0 : 100))
      load.settle(swap % 2 === 0 ? "two" : "one")
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const { requests, failures } = await load.stop()
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(100)
  })

  it("are replaced one after the other under load: nobody fails, and no count is lost", async () => {
    const one = await named(cleanup, "one")
    const { router, address } = await inFrontOf(cleanup, [one], { retireIdle: 2_000 }, { workers: 2 })
    const before = await workersOf(router)
    const load = underLoad(address, 8)
    const idle = rawClient(cleanup, address)
    expect(await router.control("POST", "/workers")).toMatchObject({ body: { replaced: 2 } })
    const after = await until("the old ones to end", async () => {
      const now = await workersOf(router)
      return now.length === 2 && !now.some((pid) => before.includes(pid)) ? now : undefined
    })
    expect(after).toHaveLength(2)
    expect(await idle.over).toBe("ended")
    const { requests, failures } = await load.stop()
    expect(failures).toEqual([])
    expect(await router.counted("r1", "r1-0")).toMatchObject({ requests, inFlight: 0 })
  })

  it("56: of which one is killed go on; another one takes its place and knows the table", async () => {
    const one = await named(cleanup, "one")
    const { router, address } = await inFrontOf(cleanup, [one], {}, { workers: 2 })
    const [victim = 0, other = 0] = await workersOf(router)
    process.kill(victim, "SIGKILL")
    await until("the replacement", async () => {
      const now = await workersOf(router)
      expect((await fetchFrom(address)).body).toBe("one")
      return now.length === 2 && !now.includes(victim) && now.includes(other) ? true : undefined
    })
    for (let n = 0; n < 10; n++) expect((await fetchFrom(address)).body).toBe("one")
    expect(router.log.some((line) => line.startsWith("a worker ended by itself"))).toBe(true)
  })

  it("count together, also what is under way", async () => {
    const slow = await instance(cleanup, () => undefined)
    const { router, address } = await inFrontOf(cleanup, [slow], {}, { workers: 2 })
    const clients = Array.from({ length: 4 }, () =>
      rawClient(cleanup, address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    )
    await until("all four", () => slow.seen.length === 4 || undefined)
    expect((await router.state()).instances["r1-0"]?.inFlight).toBe(4)
    expect((await router.counted("r1", "r1-0")).inFlight).toBe(4)
    await router.route(routeTo([pool("r1", 0, slow), pool("r2", 100, slow)]))
    expect(await router.release("r1-0")).toMatchObject({ body: { released: false, inFlight: 4 } })
    for (const client of clients) client.socket.resetAndDestroy()
    await until("the release", async () => {
      const { body } = await router.release("r1-0")
      return (body as { released: boolean }).released || undefined
    })
  })

  it("refuse an address that somebody else has, all of them, and keep the table before", async () => {
    const [one, busy] = [await named(cleanup, "one"), await named(cleanup, "busy")]
    const { router } = await inFrontOf(cleanup, [one], {}, { workers: 2 })
    await expect(router.route(routeTo([pool("r1", 100, one)], { listen: busy.address }))).rejects.toThrow(
      "address-in-use",
    )
    expect((await fetchFrom(await router.address())).body).toBe("one")
  })

  it("end with the router that is killed, and a new one serves from its file with nobody to tell it", async () => {
    const dir = await mkdtemp(join(tmpdir(), "router-"))
    cleanup.add(() => rm(dir, { recursive: true, force: true }))
    const run = () => {
      const program = fileURLToPath(new URL("../main.ts", import.meta.url))
      const child = spawn(process.execPath, [program, "router", "--dir", dir, "--workers", "2"], {
        stdio: "ignore",
      })
      cleanup.add(() => child.kill("SIGKILL"))
      return { child, exit: new Promise((resolve) => child.on("exit", resolve)) }
    }
    const control = (method: string, path: string, body?: unknown) =>
      ask(join(dir, "control.sock"), method, path, body)
    const state = () =>
      until("the router", async () => {
        const told = await control("GET", "/state").catch(() => undefined)
        return told?.body as (SeenState & { readonly workers: readonly number[] }) | undefined
      })
    const first = run()
    const before = await state()
    const one = await named(cleanup, "one")
    const routes = [routeTo([pool("r1", 100, one)])]
    expect(await control("PUT", "/table", { app: "papi", epoch: 1, generation: 1, routes })).toMatchObject({
      status: 200,
    })
    const address = (await state()).listeners["papi/prod"] ?? ""
    expect((await fetchFrom(address)).body).toBe("one")
    first.child.kill("SIGKILL")
    await first.exit
    await until("the workers' end", () => before.workers.every((pid) => !isAlive(pid)) || undefined)
    run()
    await state()
    expect((await fetchFrom(address)).body).toBe("one")
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
