import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import type { Agent } from "../ports/agent.ts"
import { specOf } from "../testing/compute-world.ts"
import { connectAgent } from "./client.ts"
import { type AgentServer, serveAgent, socketPath } from "./server.ts"

const good = specOf("papi-prod-7-1", `sha256:${"d".repeat(64)}`, { env: { GREETING: "hello" } })
const { run } = good
const and = (more: object) => ({ ...good, ...more })
const running = (more: object) => ({ ...good, run: { ...run, ...more } })

/** What somebody who reached the control plane would like a server to run. */
const hostile: readonly (readonly [string, unknown])[] = [
  ["a privileged instance", running({ privileged: true })],
  ["the engine's own words", and({ HostConfig: { Privileged: true } })],
  ["the host's network", running({ network: "host" })],
  ["the host's processes", running({ pid: "host" })],
  ["the host's shared memory", running({ ipc: "host" })],
  ["the host's users", running({ userns: "host" })],
  ["the engine's socket", running({ mounts: ["/var/run/docker.sock:/docker.sock"] })],
  ["the host's root", running({ volumes: ["/:/host"] })],
  ["a bind of a parent folder", running({ binds: ["../../etc:/etc"] })],
  ["a device", running({ devices: ["/dev/sda"] })],
  ["a capability", running({ capabilities: ["SYS_ADMIN"] })],
  ["a security option", running({ securityOpt: ["seccomp=unconfined"] })],
  ["a writable root", running({ readOnly: false })],
  ["a user of its choice", running({ user: "0:0" })],
  ["a port on every address", running({ ports: ["0.0.0.0:80:80"] })],
  ["an entrypoint", running({ entrypoint: "/bin/sh" })],
  ["labels of another agent", and({ labels: { "immunity.agent": "somebody" } })],
  ["an image by its tag", and({ image: "papi:latest", digest: "papi:latest" })],
  ["an image by its name", and({ digest: "registry.example/papi" })],
  ["a digest that is cut", and({ digest: "sha256:dddd" })],
  ["a digest in capitals", and({ digest: `sha256:${"D".repeat(64)}` })],
  ["another algorithm", and({ digest: `sha512:${"d".repeat(128)}` })],
  ["a digest with a tag after it", and({ digest: `sha256:${"d".repeat(64)}:latest` })],
  ["an id that is a path", and({ id: "../../etc/cron.d/x" })],
  ["an id with a second query", and({ id: "papi-1?force=true" })],
  ["an id with a line in it", and({ id: "papi-1\nimmunity" })],
  ["an id of another script", and({ id: "pаpi-1" })],
  ["an endless id", and({ id: "a".repeat(200) })],
  ["a release that is not a commit", and({ release: "--upload-pack=touch" })],
  ["a region that is a path", and({ region: "../prod" })],
  ["no memory at all", running({ memory: 0 })],
  ["unlimited memory", running({ memory: -1 })],
  ["more memory than there is", running({ memory: 2 ** 60 })],
  ["half a byte", running({ memory: 1024 ** 2 + 0.5 })],
  ["no processor", running({ cpus: 0 })],
  ["every processor", running({ cpus: 1e9 })],
  ["a drain of a year", running({ drain: 31_536_000_000 })],
  ["a drain before now", running({ drain: -1 })],
  [
    "a health path that is another address",
    running({ health: { ...run.health, path: "http://169.254.169.254/" } }),
  ],
  ["a health path with a line in it", running({ health: { ...run.health, path: "/\r\nHost: x" } })],
  ["a probe with a body", running({ health: { ...run.health, body: "x" } })],
  ["a library before the program", running({ env: { LD_PRELOAD: "/tmp/x.so" } })],
  ["a variable that is two", running({ env: { "A=B\nC": "1" } })],
  ["a value with an end in it", running({ env: { A: "1\u0000B=2" } })],
  [
    "more variables than sense",
    running({ env: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`A${i}`, ""])) }),
  ],
  ["a command with an end in it", running({ start: "node\u0000 server.js" })],
  ["a command that is none", running({ start: "" })],
  ["a command as a list", running({ start: ["sh", "-c", "id"] })],
  ["a prototype", JSON.parse(`{"__proto__":{"privileged":true},${JSON.stringify(good).slice(1)}`)],
]

let dir: string
let server: AgentServer
const reached: unknown[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "immunity-hostile-"))
  const agent = {
    startInstance: async (_: unknown, spec: unknown) => {
      reached.push(spec)
      return { kind: "done" }
    },
    keepArtifacts: async (_: unknown, keep: unknown) => {
      reached.push(keep)
      return { kind: "done", removed: 0, bytes: 0, left: 0 }
    },
  } as unknown as Agent
  server = await serveAgent(agent, dir, async () => undefined)
})
afterAll(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(() => {
  reached.length = 0
})

const fence = { app: "papi", epoch: 1, generation: 1 }
const order = (instance: unknown) => send("/v1/start-instance", { fence, instance })
const send = (path: string, body: unknown) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const asked = request({ socketPath: socketPath(dir), method: "POST", path }, async (answer) => {
      let text = ""
      for await (const chunk of answer) text += chunk
      resolve({ status: answer.statusCode ?? 0, text })
    })
    asked.on("error", reject)
    // Not by JSON.stringify's rules: `__proto__` must arrive as it would from a stranger.
    asked.end(JSON.stringify(body))
  })

it("an order inside the list arrives as it was sent", async () => {
  expect(await order(good)).toMatchObject({ status: 200 })
  expect(reached).toEqual([good])
})

it.each(hostile)(
  "%s is refused by the agent itself, by name, before any driver hears of it",
  async (_, instance) => {
    const { status, text } = await order(instance)
    expect([status, reached]).toEqual([400, []])
    expect(JSON.parse(text).error).toMatch(/instance/)
  },
)

const kept = [good.digest]

/** What somebody would like to be removed, or kept. */
const hostileLists: readonly (readonly [string, unknown])[] = [
  ["to keep nothing at all", { fence, keep: [] }],
  ["another word than the one for an application that is no more", { fence, keep: "none" }],
  ["no list", { fence }],
  ["a path among the digests", { fence, keep: [...kept, "../../etc"] }],
  ["an image by its name", { fence, keep: ["registry.example/papi:latest"] }],
  ["a list of what to remove", { fence, keep: kept, remove: ["sha256:*"] }],
  ["force", { fence, keep: kept, force: true }],
  ["nobody's order", { keep: kept }],
  ["an application that is a path", { fence: { ...fence, app: "../papi" }, keep: kept }],
  ["more than is ever kept", { fence, keep: Array.from({ length: 5_001 }, () => good.digest) }],
]

it("a list of what to keep arrives as it was sent", async () => {
  const sender = connectAgent({ server: "local", socketPath: socketPath(dir) })
  const answer = await sender.keepArtifacts?.(fence, kept, AbortSignal.timeout(30_000))
  expect([answer, reached]).toEqual([{ kind: "done", removed: 0, bytes: 0, left: 0 }, [kept]])
})

it("of an application that was removed, that nothing is kept is said in a word", async () => {
  const sender = connectAgent({ server: "local", socketPath: socketPath(dir) })
  await sender.keepArtifacts?.(fence, "nothing", AbortSignal.timeout(30_000))
  expect(reached).toEqual(["nothing"])
})

it.each(hostileLists)("%s is refused before anything is removed", async (_, body) => {
  expect([(await send("/v1/keep-artifacts", body)).status, reached]).toEqual([400, []])
})
