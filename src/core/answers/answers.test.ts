import { describe, expect, it } from "vitest"
import { isAccepted, pathProblem } from "./accepted.ts"
import { differences, discordances, isStructural } from "./difference.ts"
import { type Answer, endpointOf, flatten } from "./flatten.ts"
import { redact } from "./redact.ts"

const json = (body: unknown, status = 200): Answer => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", date: "now" },
  body: JSON.stringify(body),
})
const flat = (body: unknown, status = 200) => flatten(json(body, status), [])

describe("an answer as paths", () => {
  it("names fields by their place, elements of a list together, and leaves out what differs by nature", () => {
    expect([...flat({ price: 42, items: [{ id: 1 }, { id: 2 }] })]).toEqual([
      ["status", { type: "2xx", value: "200" }],
      ["header content-type", { type: "application/json", value: "application/json; charset=utf-8" }],
      ["body", { type: "object", value: "" }],
      ["body.price", { type: "number", value: "42" }],
      ["body.items", { type: "list", value: "2" }],
      ["body.items[]", { type: "object", value: "\n" }],
      ["body.items[].id", { type: "number", value: "1\n2" }],
    ])
  })

  it("does not call an answer different for telling who gave it", () => {
    const [a, b] = ["papi-r1-1", "papi-r2-1"].map((id) => flatten(json({ by: id }), [id]))
    if (!a || !b) throw new Error("two answers")
    expect(differences(a, b)).toEqual([])
  })

  it("names an endpoint without what changes from request to request", () => {
    expect(endpointOf("GET", "/items/17?page=2")).toBe("GET /items/:id")
  })
})

describe("differences", () => {
  it("tells another content from another shape, and nothing more below a broken shape", () => {
    const found = differences(
      flat({ price: 42, stock: 7, owner: { name: "x" } }),
      flat({ price: -1, stock: "7", extra: true }),
    )
    expect(found.map((one) => [one.path, one.kind, isStructural(one)])).toEqual([
      ["body.price", "value", false],
      ["body.stock", "type", true],
      ["body.owner", "missing", true],
      ["body.extra", "extra", true],
    ])
  })

  it("tells another class of status as another shape", () => {
    expect(differences(flat({}), flat({}, 500)).map(({ kind }) => kind)).toEqual(["type"])
    expect(differences(flat({}), flat({}, 204)).map(({ kind }) => kind)).toEqual(["value"])
  })

  it("learns nothing from a path on which the second stable instance differs as well", () => {
    expect(discordances(flat({ at: 1 }), flat({ at: 2 }), flat({ at: 3 }))).toEqual([])
    expect(discordances(flat({ at: 1 }), flat({ at: 2 }), flat({ at: 1 }))).toMatchObject([
      { path: "body.at", who: "second", structural: false },
    ])
    expect(discordances(flat({ at: 1 }), flat({ at: 1 }), flat({}))).toMatchObject([
      { path: "body.at", who: "candidate", structural: true },
    ])
  })

  it("does not accuse what was too large to be read", () => {
    const large = flatten({ ...json({}), body: undefined }, [])
    expect(differences(flatten({ ...json({}), body: "text", headers: json({}).headers }, []), large)).toEqual(
      [],
    )
  })

  it("are shown by their shape, so that a sample holds nothing of a person", () => {
    const [one] = differences(flat({ mail: "ana@example.com" }), flat({ mail: "bob99@example.org" }))
    if (!one) throw new Error("a difference")
    const sample = redact(one)
    expect(sample).toEqual({
      kind: "value",
      stable: "string of 15 characters",
      candidate: "string of 17 characters",
    })
  })

  it("tell of what looks secret only its type and length, and of nothing its content", () => {
    const shown = (before: object, after: object) => {
      const [one] = differences(flat(before), flat(after))
      if (!one) throw new Error("a difference")
      return redact(one).candidate
    }
    expect(shown({ apiKey: "a" }, { apiKey: "hunter2" })).toBe("string of 7 characters")
    expect(shown({ next: "a" }, { next: "eyJhbGciOiJIUzI1NiJ9.e30.x" })).toBe("string of 26 characters")
    expect(shown({ note: "a" }, { note: "card 4111 1111 1111 1111" })).toBe("string of 24 characters")
    expect(shown({ id: "a" }, { id: "sk_live_51H8x9K2eZvKYlo2C" })).toBe("string of 25 characters")
    expect(shown({ title: "a" }, { title: "Blue shoes, size 43" })).toBe("string aaaa aaaaa, aaaa 99")
    expect(shown({ price: 1 }, { price: 12.5 })).toBe("number 99.9")
  })

  it("name no person and no key in paths either", () => {
    expect(endpointOf("GET", "/users/ana@example.com/reset/f3b9c1d27a8e4f60/blue-shoes?token=1")).toBe(
      "GET /users/:id/reset/:id/blue-shoes",
    )
    expect(endpointOf("GET", "/invite/Zk3v9QpX2mL8aR5t")).toBe("GET /invite/:id")
    expect([...flat({ "bob@example.org": 1 }).keys()]).toContain("body.*")
  })
})

describe("an accepted change", () => {
  it("covers its path and what is below it, everywhere or at one endpoint", () => {
    expect(isAccepted(["body.price"], "GET /items", "body.price.net")).toBe(true)
    expect(isAccepted(["body.price"], "GET /items", "body.prices")).toBe(false)
    expect(isAccepted(["GET /items body.price"], "GET /items", "body.price")).toBe(true)
    expect(isAccepted(["GET /items body.price"], "GET /orders", "body.price")).toBe(false)
  })

  it("must be a path of an answer", () => {
    expect(pathProblem("GET /items/:id body.items[].price")).toBeUndefined()
    expect(pathProblem("price")).toMatch(/no path of an answer/)
  })
})
