import { type ChildProcess, spawn } from "node:child_process"
import { cpSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../../src/main/demo/free-ports.ts"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { dockerEngine } from "../../src/providers/engine/index.ts"

/** Starts copies of Papi with nothing of ours around them: what replacing them costs at the least. */
export type Direct = {
  /** Starts so many at once; milliseconds until each of them answers. */
  readonly start: (count: number) => Promise<number>
  /** Ends all of them as `docker compose` would: asked, then waited for. */
  readonly stop: () => Promise<void>
  readonly close: () => Promise<void>
}

const papi = "examples/papi"

export function plainProcesses(startMs: number): Direct {
  let running: ChildProcess[] = []
  const stop = async () => {
    await Promise.all(
      running.map(
        (child) =>
          new Promise<void>((resolve) => {
            child.once("exit", () => resolve())
            child.kill("SIGTERM")
          }),
      ),
    )
    running = []
  }
  return {
    async start(count) {
      const ports = await freePorts(count)
      const began = performance.now()
      for (const port of ports) {
        const env = { PATH: process.env.PATH ?? "", PORT: String(port), START_MS: String(startMs) }
        running.push(spawn("node", [join(papi, "server.js")], { env, stdio: "ignore" }))
      }
      await Promise.all(ports.map((port) => healthy(`127.0.0.1:${port}`)))
      return performance.now() - began
    },
    stop,
    close: stop,
  }
}

export async function plainContainers(socket: string, base: string, startMs: number): Promise<Direct> {
  const key = "beefbeefbeef"
  const engine = dockerEngine({ socket, owner: key })
  const signal = AbortSignal.timeout(3_600_000)
  const context = temporaryFolder("immunity-bench")
  cpSync(papi, context, { recursive: true })
  writeFileSync(join(context, "Dockerfile"), dockerfile(base))
  const image = await engine.build(
    { context, commit: "0".repeat(40), network: "none" },
    () => undefined,
    signal,
  )
  rmSync(context, { recursive: true, force: true })
  let serial = 0
  let running: string[] = []
  const one = async (): Promise<void> => {
    const id = `bench-${serial++}`
    const container = await engine.create(
      {
        name: `immunity-${key}-${id}`,
        image,
        command: ["node", "server.js"],
        env: { HOST: "0.0.0.0", PORT: "8080", START_MS: String(startMs) },
        port: 8_080,
        memory: 1024 ** 3,
        cpus: 2,
        about: { app: "papi", region: "bench", release: "0".repeat(40), instance: id, epoch: 0 },
      },
      signal,
    )
    running.push(container)
    await engine.start(container, signal)
    await healthy((await engine.find(container, signal))?.address ?? "")
  }
  const stop = async () => {
    await Promise.all(running.map((id) => engine.stop(id, 10_000, signal)))
    await Promise.all(running.map((id) => engine.remove(id, signal)))
    running = []
  }
  return {
    async start(count) {
      const began = performance.now()
      await Promise.all(Array.from({ length: count }, one))
      return performance.now() - began
    },
    stop,
    close: stop,
  }
}

export const dockerfile = (base: string): string =>
  `FROM ${base}\nWORKDIR /app\nCOPY package.json server.js papi.json ./\n`

async function healthy(address: string): Promise<void> {
  const deadline = performance.now() + 300_000
  while (performance.now() < deadline) {
    const answer = await fetch(`http://${address}/healthz`).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${address} did not become healthy within 300 s`)
}
