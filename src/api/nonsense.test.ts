import { afterAll, expect, it } from "vitest"
import type { ApiParts } from "./parts.ts"
import { createApi } from "./server.ts"

const by: string[] = []
const killSwitch = {
  because: () => [],
  set: async (name: string) => {
    by.push(name)
  },
}
const clock = { mono: () => 0, now: () => 0 }
const parts = { clock, ready: Promise.resolve(), token: "t", killSwitch, log: { warn: () => undefined } }
const api = await createApi(parts as unknown as ApiParts)
afterAll(() => api.close())

const order = (headers: Readonly<Record<string, string>>, body = '{"reason":"x"}') =>
  api.inject({
    method: "POST",
    url: "/v1/kill-switch/set",
    headers: { authorization: "Bearer t", "content-type": "application/json", host: "here", ...headers },
    payload: body,
  })

it("an address that is none is refused as any other mistake is, and with every guard", async () => {
  for (const url of ["/%ff", "/v1/apps/%E0%A4%A"]) {
    const answer = await api.inject({ method: "GET", url })
    expect([answer.statusCode, answer.headers["content-type"], answer.json()]).toEqual([
      400,
      "application/problem+json; charset=utf-8",
      expect.objectContaining({ code: "bad-request", detail: expect.stringContaining("not a valid url") }),
    ])
    expect(answer.headers["content-security-policy"]).toContain("default-src 'none'")
  }
})

it("an origin that is no address is another one", async () => {
  for (const origin of ["garbage", "http://", "https://elsewhere"])
    expect([origin, (await order({ origin })).json()]).toEqual([
      origin,
      expect.objectContaining({ code: "cross-origin", status: 403 }),
    ])
  expect((await order({ origin: "http://here" })).statusCode).toBe(200)
})

it("a body of a type that no order is written in is said to be of that type", async () => {
  expect((await order({ "content-type": "text/plain" })).json()).toMatchObject({ code: "wrong-type" })
})

it("orders are written down under the name that was given, in any script, and never under another", async () => {
  by.length = 0
  const names = [
    "Mira",
    "Jörg Müller",
    "李明",
    "CORP\\mira",
    "mira@example.com",
    "علی\u200cرضا",
    "शरद\u200cचन्द्र",
    "लक्\u200dष्मी",
  ]
  for (const name of names) await order({ "x-immunity-actor": encodeURIComponent(name) })
  await order({})
  expect(by).toEqual([...names, "operator"])
  for (const name of [
    "",
    "  ",
    "a\nb",
    "a\u202eb",
    "a\u2028b",
    "x".repeat(81),
    "Mi\u200dra",
    "Mi\u200cra",
    "علی\u200c",
    "\u200cعلی",
    "علی\u200c\u200cرضا",
    "\u200b",
    "ع\u200bل",
  ])
    expect([name, (await order({ "x-immunity-actor": encodeURIComponent(name) })).json()]).toEqual([
      name,
      expect.objectContaining({ code: "bad-request", detail: expect.stringContaining("is not a name") }),
    ])
  expect((await order({ "x-immunity-actor": "100%" })).statusCode).toBe(400)
  expect(by).toHaveLength(9)
})
