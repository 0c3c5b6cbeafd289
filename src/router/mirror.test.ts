import { afterEach, describe, expect, it } from "vitest"
import {
  Cleanup,
  fetchFrom,
  instance,
  named,
  nobody,
  pool,
  routeTo,
  TestRouter,
  until,
} from "./router.fixture.ts"
import type { MirrorTable, RouteTable } from "./table.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

type At = { readonly address: string }

const preview = (candidate: At | undefined): RouteTable =>
  routeTo(candidate ? [pool("r2", 100, candidate)] : [], { route: "papi/sandbox/preview" })

async function mirroring(primary: At, candidate: At | undefined, more: Partial<MirrorTable> = {}) {
  const router = await TestRouter.open(cleanup)
  const mirror = { to: "papi/sandbox/preview", sample: 1, timeoutMs: 1_000, ...more }
  await router.route(routeTo([pool("r1", 100, primary)], { mirror }), preview(candidate))
  return { router, address: await router.address() }
}

/** The counters once every copy has come to its end. */
const settled = (router: TestRouter) =>
  until("all copies", async () => {
    const found = await router.mirrored()
    return found.sent === found.candidate.requests + found.aborted ? found : undefined
  })

const total = (histogram: readonly (readonly [number, number])[]) =>
  histogram.reduce((sum, [, n]) => sum + n, 0)

describe("a mirror", () => {
  it("copies reads only, without anybody's identity; its answers reach nobody", async () => {
    const primary = await named(cleanup, "primary")
    const candidate = await named(cleanup, "candidate")
    const { router, address } = await mirroring(primary, candidate)
    const headers = { authorization: "a", cookie: "b", "x-api-key": "c", accept: "d" }
    for (let n = 0; n < 5; n++)
      expect((await fetchFrom(address, { headers, path: `/${n}?q` })).body).toBe("primary")
    await fetchFrom(address, { method: "HEAD" })
    for (const method of ["POST", "PUT", "DELETE"]) await fetchFrom(address, { method, headers, body: "x" })
    await fetchFrom(address, { headers: { "content-length": "1" }, body: "x" })
    await settled(router)
    expect(candidate.seen.map((asked) => `${asked.method} ${asked.url}`).sort()).toEqual(
      ["HEAD /", ...[0, 1, 2, 3, 4].map((n) => `GET /${n}?q`)].sort(),
    )
    for (const { headers: seen } of candidate.seen) {
      expect([seen.authorization, seen.cookie, seen["x-api-key"]]).toEqual([undefined, undefined, undefined])
      expect(seen["x-mirror"]).toBe("1")
    }
    expect(primary.seen).toHaveLength(10)
    expect(primary.seen.every((asked) => asked.headers["x-mirror"] === undefined)).toBe(true)
  })

  it("leaves out denied paths, also where they are written in another way", async () => {
    const candidate = await named(cleanup, "candidate")
    const { router, address } = await mirroring(await named(cleanup, "primary"), candidate, {
      deny: ["/logout", "*/once/*", "/a.b"],
    })
    const denied = ["/logout", "/LogOut?now", "/%6cogout", "/x/once/17", "/x/%6Fnce/17", "/%zz", "/a.b"]
    const copied = ["/logout/all", "/once", "/axb", "/?/logout"]
    for (const path of [...denied, ...copied]) expect((await fetchFrom(address, { path })).status).toBe(200)
    await settled(router)
    expect(candidate.seen.map(({ url }) => url).sort()).toEqual([...copied].sort())
  })

  it("tells a sample of what it copied, without anybody's identity, only where that is asked for", async () => {
    const primary = await named(cleanup, "primary")
    const headers = { cookie: "b", accept: "d", "x-tenant": "t", "if-none-match": "e" }
    const quiet = await mirroring(primary, await named(cleanup, "candidate"))
    await fetchFrom(quiet.address, { path: "/items?page=2", headers })
    await settled(quiet.router)
    expect((await quiet.router.mirrored()).recent).toEqual([])
    const telling = await mirroring(primary, await named(cleanup, "candidate"), {
      tell: true,
      headers: ["x-tenant"],
    })
    for (let n = 0; n < 30; n++) await fetchFrom(telling.address, { path: "/items?page=2", headers })
    await settled(telling.router)
    const { recent = [] } = await telling.router.mirrored()
    expect(recent[0]).toMatchObject({ method: "GET", target: "/items?page=2" })
    expect(recent[0]?.headers).toEqual({ host: telling.address, accept: "d", "x-tenant": "t" })
    expect(recent.length).toBeLessThan(30)
  })

  it("counts the same requests on both sides, and the candidate's in its own pool too", async () => {
    const primary = await named(cleanup, "primary")
    let n = 0
    const candidate = await instance(cleanup, (_, response) => {
      n += 1
      response.statusCode = n % 4 === 0 ? 500 : 200
      response.end()
    })
    const { router, address } = await mirroring(primary, candidate)
    for (let request = 0; request < 40; request++) await fetchFrom(address)
    const found = await settled(router)
    expect(found).toMatchObject({ sent: 40, dropped: 0, failed: 0 })
    expect(found.primary).toMatchObject({ requests: 40, bad: 0 })
    expect(found.candidate).toMatchObject({ requests: 40, bad: 10 })
    expect([total(found.primary.histogram), total(found.candidate.histogram)]).toEqual([40, 40])
    const counted = await router.counted("r2", "r2-0", "papi/sandbox/preview")
    expect(counted).toMatchObject({ requests: 40, errors: { "5xx": 10 } })
  })

  it("samples evenly", async () => {
    const { router, address } = await mirroring(await named(cleanup, "p"), await named(cleanup, "c"), {
      sample: 0.25,
    })
    for (let request = 0; request < 100; request++) await fetchFrom(address)
    const { sent } = await settled(router)
    expect(Math.abs(sent - 25)).toBeLessThan(5)
  })

  it("to a sandbox that hangs slows nobody and fails nobody: copies are dropped, and cut in time", async () => {
    const primary = await named(cleanup, "primary")
    const hanging = await instance(cleanup, () => undefined)
    const { router, address } = await mirroring(primary, hanging, { timeoutMs: 2_000 })
    const answers = await Promise.all(Array.from({ length: 100 }, () => fetchFrom(address)))
    expect(answers.every((answer) => answer.body === "primary")).toBe(true)
    const before = await router.mirrored()
    expect(before.sent + before.dropped).toBe(100)
    expect(before.dropped).toBeGreaterThanOrEqual(1)
    const found = await settled(router)
    expect(found.failed).toBe(found.sent)
    expect(found.candidate).toMatchObject({ requests: found.sent, bad: found.sent })
    expect(found.primary).toMatchObject({ requests: found.sent, bad: 0 })
    expect((await router.state()).instances["r2-0"]?.inFlight).toBe(0)
  })

  it("to a sandbox that cannot be reached is counted as failed", async () => {
    const { router, address } = await mirroring(await named(cleanup, "primary"), { address: await nobody() })
    for (let n = 0; n < 10; n++) expect((await fetchFrom(address)).body).toBe("primary")
    const found = await settled(router)
    expect(found).toMatchObject({ sent: 10, failed: 10, candidate: { requests: 10, bad: 10 } })
  })

  it("to nobody drops every copy", async () => {
    const { router, address } = await mirroring(await named(cleanup, "primary"), undefined)
    for (let n = 0; n < 10; n++) expect((await fetchFrom(address)).body).toBe("primary")
    expect(await router.mirrored()).toMatchObject({ sent: 0, dropped: 10 })
  })

  it("keeps its instance from being released while a copy is under way", async () => {
    const primary = await named(cleanup, "primary")
    const hanging = await instance(cleanup, () => undefined)
    const { router, address } = await mirroring(primary, hanging, { timeoutMs: 30_000 })
    await fetchFrom(address)
    await until("the copy", () => hanging.seen[0])
    await router.route(routeTo([pool("r1", 100, primary)]), preview(undefined))
    expect((await router.release("r2-0")).body).toEqual({ released: false, weight: 0, inFlight: 1 })
    expect((await router.release("r2-0", 0)).body).toEqual({ released: true })
  })
})
