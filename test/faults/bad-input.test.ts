import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { processesOf } from "../../src/main/demo/leftovers.ts"
import { Traffic } from "../../src/main/demo/traffic.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = (listen: number, more = "", build = "node --check server.js"): string => `version: 1
app: papi
build: { command: ${JSON.stringify(build)}, timeout: 4s }
start: node server.js
tests: { test: { run: node test.js, timeout: 3s } }
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s, memory: 300MB }
regions:
  - { name: production, listen: ${listen}, traffic: none, deadline: 8s, bake: 0s }
metrics: none
${more}`

describe("what comes in broken", () => {
  let cluster: Cluster
  const traffic = new Traffic()

  beforeAll(async () => {
    cluster = await Cluster.open(1, ([listen = 0]) => pipeline(listen))
    cluster.serve()
    await cluster.until(
      "the server",
      () => cluster.ask("POST", "/v1/apps", { url: cluster.repository, app: "papi" }),
      minutes,
    )
    await ends(cluster.commit("first", "none"), "succeeded")
    traffic.start([`127.0.0.1:${cluster.ports[1]}`], 50)
  }, 2 * minutes)

  afterAll(async () => {
    await traffic.stop()
    expect(await cluster.close()).toEqual([])
  })

  const listen = () => cluster.ports[1] ?? 0

  const ends = (commit: string, phase: string) =>
    cluster.until(
      `${commit.slice(0, 7)} ${phase}`,
      async () => {
        const { rollouts } = await cluster.app()
        return rollouts.find((rollout) => commit.startsWith(rollout.commit) && rollout.phase === phase)
      },
      minutes,
    )

  const commitEnds = (commit: string, state: string) =>
    cluster.until(
      `${commit.slice(0, 7)} ${state}`,
      async () =>
        (await cluster.app()).commits.find(
          (known) => commit.startsWith(known.commit) && known.state === state,
        ),
      minutes,
    )

  it("a malformed immunity.yaml fails its commit, with line and column, and nothing else", async () => {
    const broken = cluster.commit("oops", "none", { "immunity.yaml": pipeline(listen(), "gaet: button\n") })
    const { detail } = await commitEnds(broken, "refused")
    expect(detail).toContain('immunity.yaml:10:1 C101 unknown key "gaet"')
  })

  it("a build that fails says how", async () => {
    const bad = cluster.commit("no build", "none", {
      "immunity.yaml": pipeline(listen(), "", "echo the compiler is missing; exit 3"),
    })
    expect((await commitEnds(bad, "failed")).detail).toBe(
      "the build ended with exit code 3: the compiler is missing",
    )
  })

  it("a build that hangs, forks daemons and floods its log is ended whole", async () => {
    const nasty =
      "for i in 1 2 3 4 5; do (setsid sleep 987654 &) ; done; yes flood | head -c 30000000; sleep 1000"
    const bad = cluster.commit("endless", "none", { "immunity.yaml": pipeline(listen(), "", nasty) })
    const { detail, job } = await commitEnds(bad, "failed")
    expect(detail).toContain("timed out after 4 s")
    expect(processesOf(cluster.dir).filter(({ name }) => name.includes("987654"))).toEqual([])
    const log = readFileSync(join(cluster.dir, "server", "agent", "logs", `${job}.log`), "utf8")
    expect(log.length).toBeLessThan(11 * 1024 * 1024)
    expect(log).toContain("output cut at 10 MB")
  })

  it("a test that hangs fails the release before any user met it, and locks nothing", async () => {
    const bad = cluster.commit("slow test", "none", {
      "immunity.yaml": pipeline(listen()),
      "test.js": "setTimeout(() => {}, 100000)\n",
    })
    await ends(bad, "failed")
    expect((await cluster.app()).locks).toEqual([])
  })

  it("an instance that never gets healthy is named before the deadline", async () => {
    const bad = cluster.commit("deaf", "none", {
      "test.js": "process.exit(0)\n",
      "server.js": "setInterval(() => {}, 1000)\n",
    })
    const rollout = await ends(bad, "failed")
    expect(rollout.sentence).toContain("0 of 1 instances were healthy before the deadline")
  })

  it("a second control plane on the same store, and a port that is taken, are refused in a sentence", async () => {
    const dir = join(cluster.dir, "server")
    const second = await immunity(["serve", "--dir", dir, "--port", "0"])
    expect(second.code).toBe(1)
    expect(second.stderr).toContain("already open for writing")
    const taken = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as { port: number }
    const third = await immunity(["serve", "--dir", join(cluster.dir, "other"), "--port", String(port)])
    taken.close()
    expect(third.code).toBe(1)
    expect(third.stderr).toContain(`port ${port} is taken`)
  })

  it("a killed agent is back, its instances never left; a killed router serves again from its file", async () => {
    const pid = (what: string) =>
      processesOf(cluster.dir).find(({ name }) => name.includes(`main.js ${what}`))?.pid ?? 0
    const instances = (
      await cluster.ask<readonly { readonly id: string }[]>("GET", "/v1/apps/papi/servers")
    ).map(({ id }) => id)
    const [agent, router] = [pid("agent"), pid("router")]
    process.kill(agent, "SIGKILL")
    await cluster.until(
      "another agent",
      async () => (pid("agent") !== 0 && pid("agent") !== agent ? true : undefined),
      minutes,
    )
    await traffic.stop()
    const failed = traffic.seen.filter((request) => !request.ok && request.release === undefined)
    expect(failed).toEqual([])
    process.kill(router, "SIGKILL")
    await cluster.until(
      "the router",
      async () => (await fetch(`http://127.0.0.1:${listen()}/items`)).status === 200 || undefined,
      minutes,
    )
    const later = (await cluster.ask<readonly { readonly id: string }[]>("GET", "/v1/apps/papi/servers")).map(
      ({ id }) => id,
    )
    expect(later).toEqual(instances)
  })
})
