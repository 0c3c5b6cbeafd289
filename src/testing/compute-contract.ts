import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Digest } from "../core/model/ids.ts"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import type { Compute, RunningInstance } from "../ports/compute.ts"
import { until } from "./router-world.ts"

/** What every compute driver is asked to run: `server.js` beside a `papi.json`. Listens on HOST and PORT. */
export const contractServer = `
const http = require("http")
process.on("SIGTERM", () => {
  if (process.env.STUBBORN) return
  console.log("leaving")
  process.exit(0)
})
http.createServer((q, a) => {
  a.setHeader("x-instance", process.env.IMMUNITY_INSTANCE)
  if (q.url === "/crash") process.exit(7)
  if (q.url === "/who") return a.end(JSON.stringify({ uid: process.getuid(), pid: process.pid, env: process.env }))
  if (q.url === "/write") {
    let failed
    try { require("fs").writeFileSync("papi.json", "{}") } catch (error) { failed = error.code }
    return a.end(String(failed))
  }
  a.end("well")
}).listen(process.env.PORT, process.env.HOST || "127.0.0.1", () => console.log("up"))
`

/** A driver with nothing running, and an artifact of `contractServer`. */
export type ComputeUnderTest = {
  readonly compute: Compute
  readonly digest: Digest
  /** Another driver over the same things, as after a restart of the agent. */
  readonly reopen: () => Compute
  /** Kills the instance from outside of the driver, as the kernel would. */
  readonly kill: (id: string) => Promise<void>
  /** Root of the machine writes a file of a running instance. */
  readonly edit: (id: string, file: string, text: string) => Promise<void>
  readonly log: (id: string) => string
  readonly close: () => Promise<void>
}

const signal = () => AbortSignal.timeout(60_000)
const by = { app: "papi", epoch: 3, generation: 1 }

/** What every compute driver promises, whatever an instance is made of. */
export function computeContract(name: string, open: () => Promise<ComputeUnderTest>): void {
  describe(`${name} keep the promises of a compute driver`, () => {
    let under: ComputeUnderTest
    let compute: Compute

    beforeEach(async () => {
      under = await open()
      compute = under.compute
    })
    afterEach(async () => {
      for (const { id } of await compute.list(signal())) {
        await compute.stop(id, 0, signal())
        await compute.forget(id)
      }
      await under.close()
    })

    const spec = (id: string, env: Readonly<Record<string, string>> = {}): InstanceSpec => ({
      id,
      server: "local",
      region: "prod",
      release: "c".repeat(40),
      digest: under.digest,
      run: {
        start: "node server.js",
        health: { path: "/", every: 100, timeout: 1_000, healthy: 1, unhealthy: 3 },
        drain: 1_000,
        env,
        keep: 1,
      },
    })
    const start = (id: string, env?: Readonly<Record<string, string>>) =>
      compute.start(spec(id, env), by, signal())
    const look = async (id: string): Promise<RunningInstance> => {
      const found = (await compute.list(signal())).find((running) => running.id === id)
      if (!found) throw new Error(`${id} is not there`)
      return found
    }
    const ask = (id: string, path: string): Promise<string> =>
      until(`${id} to answer ${path}`, async () => {
        const { address } = await look(id)
        const answer = await fetch(`http://${address}${path}`).catch(() => undefined)
        // Another program of this machine may have been faster on a port that was free.
        return answer?.headers.get("x-instance") === id ? answer.text() : undefined
      })
    const ended = (id: string) =>
      until(`${id} to end`, async () => {
        const found = await look(id)
        return found.state === "ended" ? found : undefined
      })

    it("starts it with its port and its names, on loopback, with nothing of the agent's environment", async () => {
      process.env.IMMUNITY_SECRET_OF_THE_AGENT = "do not tell"
      await start("papi-prod-1", { GREETING: "hello" })
      const { env } = JSON.parse(await ask("papi-prod-1", "/who"))
      delete process.env.IMMUNITY_SECRET_OF_THE_AGENT
      expect(env).toMatchObject({
        GREETING: "hello",
        IMMUNITY_INSTANCE: "papi-prod-1",
        IMMUNITY_REGION: "prod",
        IMMUNITY_RELEASE: "c".repeat(40),
      })
      expect(Object.keys(env)).not.toContain("IMMUNITY_SECRET_OF_THE_AGENT")
      const { address, differences, memory, state } = await look("papi-prod-1")
      expect([state, differences]).toEqual(["running", []])
      expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
      expect(memory).toBeGreaterThan(1024 ** 2)
    })

    it("started twice is one instance", async () => {
      await start("papi-prod-1")
      const before = (await look("papi-prod-1")).startedAt
      await start("papi-prod-1")
      expect((await compute.list(signal())).map(({ id }) => id)).toEqual(["papi-prod-1"])
      expect((await look("papi-prod-1")).startedAt).toBe(before)
    })

    it("a stop asks first, and what was said on the way out is in the log", async () => {
      await start("papi-prod-1")
      await ask("papi-prod-1", "/")
      await compute.stop("papi-prod-1", 20_000, signal())
      expect((await look("papi-prod-1")).state).toBe("ended")
      await until("its last words", async () => under.log("papi-prod-1").includes("leaving") || undefined)
    })

    it("who does not listen is ended after the grace", async () => {
      await start("papi-prod-1", { STUBBORN: "yes" })
      await ask("papi-prod-1", "/")
      await compute.stop("papi-prod-1", 200, signal())
      expect((await look("papi-prod-1")).state).toBe("ended")
    })

    it("a crash is told with its exit code, and its id is not started again", async () => {
      await start("papi-prod-1")
      await ask("papi-prod-1", "/")
      await fetch(`http://${(await look("papi-prod-1")).address}/crash`).catch(() => undefined)
      expect((await ended("papi-prod-1")).exit).toMatchObject({ code: 7, because: "ended with exit code 7" })
      await start("papi-prod-1")
      expect((await look("papi-prod-1")).state).toBe("ended")
    })

    it("what was killed from outside is not called running", async () => {
      await start("papi-prod-1")
      await ask("papi-prod-1", "/")
      await under.kill("papi-prod-1")
      expect((await ended("papi-prod-1")).exit?.because).toMatch(/SIGKILL|exit code|ended/)
    })

    it("lives on without whoever started it, and is found again at its address", async () => {
      await start("papi-prod-1")
      await ask("papi-prod-1", "/")
      const before = await look("papi-prod-1")
      compute = under.reopen()
      const { address, state } = await look("papi-prod-1")
      expect([state, address]).toEqual(["running", before.address])
      expect(await ask("papi-prod-1", "/")).toBe("well")
      await compute.stop("papi-prod-1", 5_000, signal())
      expect((await look("papi-prod-1")).state).toBe("ended")
    })

    it("cannot change a file of its own; a file that root changed is told, and by whom it differs alone", async () => {
      await start("papi-prod-1")
      await start("papi-prod-2")
      // Root of a plain process may write where nobody else may; a container may not, whoever it is.
      if (JSON.parse(await ask("papi-prod-1", "/who")).uid !== 0)
        expect(await ask("papi-prod-1", "/write")).toMatch(/^(EACCES|EROFS)$/)
      await under.edit("papi-prod-1", "papi.json", '{"flaw":"none","edited":true}')
      const found = await until("the difference", async () => {
        const { differences } = await look("papi-prod-1")
        return differences.length > 0 ? differences : undefined
      })
      expect(found.map(({ path, what }) => `${path} ${what}`)).toEqual([
        expect.stringMatching(/papi\.json changed$/),
      ])
      expect((await look("papi-prod-2")).differences).toEqual([])
    })

    it("an artifact that is not there is refused, and nothing is left of the try", async () => {
      const missing = { ...spec("papi-prod-1"), digest: `sha256:${"0".repeat(64)}` as Digest }
      await expect(compute.start(missing, by, signal())).rejects.toThrow(/sha256:000/)
      expect(await compute.list(signal())).toEqual([])
    })

    it("a name that is a path is refused, and an unknown one is gone already", async () => {
      await expect(compute.start(spec("../../etc"), by, signal())).rejects.toThrow("is not an instance id")
      await compute.stop("papi-prod-9", 0, signal())
      await compute.forget("papi-prod-9")
      expect(await compute.list(signal())).toEqual([])
    })

    it("forgotten means gone; only its log is kept", async () => {
      await start("papi-prod-1")
      await ask("papi-prod-1", "/")
      await compute.stop("papi-prod-1", 5_000, signal())
      await compute.forget("papi-prod-1")
      expect(await compute.list(signal())).toEqual([])
      expect(under.log("papi-prod-1")).toContain("up")
    })
  })
}
