import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { systemClock } from "../../src/providers/clock/system.ts"
import { openStore } from "../../src/store/store.ts"
import { Cluster } from "../support/cluster.ts"
import { phaseOf } from "../support/control-plane.ts"
import { minutes } from "../support/until.ts"

const pipeline = (app: string, listen: number): string => `version: 1
app: ${app}
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: production, listen: ${listen}, bake: 0s }
metrics: http
`

/** Puts an event into a journal that no version understands, by the journal's own rules. */
async function poison(file: string, app: string): Promise<number> {
  const store = await openStore({ path: file, clock: systemClock })
  const lease = await store.leases.acquire(`app/${app}`, "from the future", 1_000)
  const version = (await store.journal.read(app, 0)).length
  const event = { type: "from-the-future", why: "nobody knows" } as never
  await store.journal.append({
    stream: app,
    expected: version,
    epoch: lease?.epoch ?? 0,
    events: [{ at: Date.now(), by: "N+1", because: "a newer version was here", event }],
    outbox: [],
  })
  await store.close()
  return version + 1
}

describe("an application whose journal holds an event that cannot be understood", () => {
  let cluster: Cluster
  let web: string

  const reaches = (commit: string, app: string) =>
    cluster.until(
      `${app} to run`,
      async () => (await phaseOf(cluster.plane, commit, "production", app)) === "succeeded" || undefined,
      2 * minutes,
    )

  beforeAll(async () => {
    cluster = await Cluster.open(2, ([listen = 0]) => pipeline("papi", listen))
    web = cluster.repositoryOf("web", "examples/papi", pipeline("web", cluster.ports[2] ?? 0))
    cluster.serve()
    await cluster.add()
    await cluster.add(cluster.plane, "web", web)
    const [papi, other] = [cluster.commit("first", "none"), cluster.commit("first", "none", {}, web)]
    await reaches(papi, "papi")
    await reaches(other, "web")
  }, 4 * minutes)

  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it(
    "is set aside alone: its users are served, its page says what to do, and all others go on",
    async () => {
      await cluster.plane.end("SIGTERM")
      const version = await poison(join(cluster.dir, "server", "immunity.db"), "papi")
      cluster.serve()
      const said = await cluster.until(
        "papi to be set aside",
        async () => (await cluster.app()).problems.find(({ part }) => part === "journal")?.problem,
        2 * minutes,
      )
      expect(said).toContain(
        `event ${version} of papi (from-the-future) cannot be understood by this version`,
      )
      expect(said).toMatch(/set aside: what runs keeps running.*Start the version that wrote the event/)

      await reaches(cluster.commit("second", "none", {}, web), "web")
      expect((await fetch(`http://127.0.0.1:${cluster.ports[1]}/healthz`)).status).toBe(200)
      expect((await cluster.app()).problems.map(({ problem }) => problem)).toEqual([said])

      const refused = cluster.ask("POST", "/v1/apps/papi/pause", { reason: "a test" })
      await expect(refused).rejects.toThrow(/409.*set-aside/s)
      for (const page of ["/", "/a/papi", "/a/papi/timeline", "/a/papi/servers"]) {
        const answer = await fetch(`${cluster.url}${page}`)
        expect([page, answer.status]).toEqual([page, 200])
        if (page === "/a/papi") expect(await answer.text()).toContain("is set aside")
      }
    },
    4 * minutes,
  )
})
