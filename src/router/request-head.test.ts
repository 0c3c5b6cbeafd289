import { describe, expect, it } from "vitest"
import { BadMessage } from "./bad-message.ts"
import { readRequestHead } from "./request-head.ts"

const read = (text: string) => readRequestHead(Buffer.from(text, "latin1"), 0)

function refusal(text: string): number | undefined {
  try {
    read(text)
    return undefined
  } catch (error) {
    if (error instanceof BadMessage) return error.status
    throw error
  }
}

const head = (...lines: readonly string[]) =>
  `POST /a HTTP/1.1\r\nHost: x\r\n${lines.map((l) => `${l}\r\n`).join("")}\r\n`

describe("a request head", () => {
  it("is read whole, with its end", () => {
    const text = "GET /a?b=%20c HTTP/1.1\r\nHost: x:1\r\nX-Y:  z \r\n\r\n"
    const found = read(`${text}rest`)
    expect(found?.end).toBe(text.length)
    expect(found?.head).toMatchObject({
      method: "GET",
      target: "/a?b=%20c",
      host: "x:1",
      minor: 1,
      keepAlive: true,
    })
    expect(found?.head.fields).toContainEqual(
      expect.objectContaining({ name: "X-Y", lower: "x-y", value: "z" }),
    )
  })

  it("is waited for while it is not complete, byte by byte", () => {
    const text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for (let end = 0; end < text.length; end++) expect(read(text.slice(0, end))).toBeUndefined()
    expect(read(text)).toBeDefined()
  })

  it("may follow one empty line, not two", () => {
    expect(read("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")).toBeDefined()
    expect(refusal("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")).toBe(400)
  })

  it.each([
    ["01 length and chunks together", head("Content-Length: 3", "Transfer-Encoding: chunked")],
    ["02 two lengths that differ", head("Content-Length: 3", "Content-Length: 4")],
    ["02 two lengths that agree", head("Content-Length: 3", "Content-Length: 3")],
    ["03 a list of lengths", head("Content-Length: 5, 5")],
    ["04 a signed length", head("Content-Length: +5")],
    ["04 a hexadecimal length", head("Content-Length: 0x5")],
    ["04 a negative length", head("Content-Length: -1")],
    ["04 an empty length", head("Content-Length: ")],
    ["04 a length that no number holds", head("Content-Length: 99999999999999999999")],
    ["05 xchunked", head("Transfer-Encoding: xchunked")],
    ["05 chunked after identity", head("Transfer-Encoding: identity, chunked")],
    ["05 chunked twice", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")],
    ["05 a vertical tab in the coding", head("Transfer-Encoding: \x0bchunked")],
    ["05 a space before the colon", head("Transfer-Encoding : chunked")],
    ["05 a tab before the colon", head("Transfer-Encoding\t: chunked")],
    ["05 quotes around the coding", head('Transfer-Encoding: "chunked"')],
    ["05 a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["06 a folded line", head("X: a", " b")],
    ["06 a folded line with a tab", head("X: a", "\tb")],
    ["06 a folded first line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"],
    ["07 two hosts", head("Host: y")],
    ["08 no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"],
    ["08 no fields at all", "GET / HTTP/1.1\r\n\r\n"],
    ["a host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"],
    ["a host with a user", "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n"],
    ["a host list", "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"],
    ["09 bare LF throughout", "GET / HTTP/1.1\nHost: x\n\n"],
    ["09 bare LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n"],
    ["09 bare LF between fields", head("A: b\nC: d")],
    ["10 bare CR in a value", head("A: b\rC: d")],
    ["10 NUL in a value", head("A: b\0c")],
    ["10 DEL in a value", head("A: b\x7fc")],
    ["11 a space in a name", head("A B: c")],
    ["11 an empty name", head(": c")],
    ["11 no colon", head("abc")],
    ["11 a non-ASCII name", head("\xe4: c")],
    ["42 a fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 a space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 a tab instead of a space", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 a target without a slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 a star for GET", "GET * HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 a non-ASCII target", "GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["42 a user in the authority", "GET http://a@x/ HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["44 HTTP/0.9", "GET /\r\n\r\n"],
    ["44 a lower-case version", "GET / http/1.1\r\nHost: x\r\n\r\n"],
    ["44 a lower-case method", "get / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a TLS hello", "\x16\x03\x01\x02\x00\x01"],
  ])("is refused: %s", (_, text) => {
    expect(refusal(text)).toBeGreaterThanOrEqual(400)
  })

  it("names what it does not do: unknown methods, CONNECT, TRACE, other versions, expectations", () => {
    const one = (line: string, field = "A: b") => refusal(`${line}\r\nHost: x\r\n${field}\r\n\r\n`)
    expect(one("BREW / HTTP/1.1")).toBe(501)
    expect(one("helloGET / HTTP/1.1")).toBe(501)
    expect(one("CONNECT x:1 HTTP/1.1")).toBe(405)
    expect(one("TRACE / HTTP/1.1")).toBe(405)
    expect(one("GET / HTTP/1.2")).toBe(505)
    expect(refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).toBe(505)
    expect(one("GET / HTTP/1.1", "Expect: 200-maybe")).toBe(417)
    expect(one("GET / HTTP/1.1", "Expect: 100-Continue")).toBeUndefined()
  })

  it("is refused when it is huge, also while it still comes", () => {
    expect(refusal(`GET / HTTP/1.1\r\nHost: x\r\nA: ${"b".repeat(80_000)}\r\n\r\n`)).toBe(431)
    expect(refusal(`GET /${"b".repeat(40_000)}`)).toBe(431)
    expect(refusal(head(...Array.from({ length: 2_000 }, (_, n) => `A${n}: b`)))).toBe(431)
  })

  it("in absolute form is for the authority of its target, whatever Host says", () => {
    const found = read("GET HTTP://y.example:81/a?b HTTP/1.1\r\nHost: x\r\n\r\n")
    expect(found?.head).toMatchObject({ target: "/a?b", host: "y.example:81" })
    expect(read("GET http://y?b HTTP/1.1\r\nHost: x\r\n\r\n")?.head.target).toBe("/?b")
  })

  it("keeps the bytes of its target", () => {
    const target = '/%2e%2E/a%00//b?c=%zz&d=[]|{}^`\\"<>'
    expect(read(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)?.head.target).toBe(target)
  })

  it("of HTTP/1.0 needs no host and is not kept alive unless it asks", () => {
    expect(read("GET / HTTP/1.0\r\n\r\n")?.head).toMatchObject({ host: undefined, keepAlive: false })
    expect(read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")?.head.keepAlive).toBe(true)
    expect(read("GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Close\r\n\r\n")?.head.keepAlive).toBe(false)
  })

  it("asks for an upgrade only with Connection, GET, no body, and never for HTTP/2", () => {
    const upgrade = (method: string, ...lines: readonly string[]) =>
      read(`${method} / HTTP/1.1\r\nHost: x\r\n${lines.join("\r\n")}\r\n\r\n`)?.head.upgrade
    expect(upgrade("GET", "Connection: Upgrade", "Upgrade: websocket")).toBe("websocket")
    expect(upgrade("GET", "Upgrade: websocket")).toBeUndefined()
    expect(upgrade("POST", "Connection: Upgrade", "Upgrade: websocket")).toBeUndefined()
    expect(upgrade("GET", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 1")).toBeUndefined()
    expect(upgrade("GET", "Connection: Upgrade", "Upgrade: h2c")).toBeUndefined()
    expect(upgrade("GET", "Connection: Upgrade", "Upgrade: h2c, websocket")).toBeUndefined()
  })
})
