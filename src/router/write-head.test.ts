import { describe, expect, it } from "vitest"
import { readFields } from "./fields.ts"
import { noBody } from "./framing.ts"
import { strippedFor } from "./mirror-choice.ts"
import { readRequestHead } from "./request-head.ts"
import { readResponseHead } from "./response-head.ts"
import { writeMirrorHead, writeRequestHead, writeResponseHead, writeTrailers } from "./write-head.ts"

const origin = { address: "10.0.0.7", listener: "127.0.0.1:80", requestId: "id-1" }

function request(text: string) {
  const read = readRequestHead(Buffer.from(text, "latin1"), 0)
  if (!read) throw new Error("not a whole head")
  return read.head
}

const sent = (...lines: readonly string[]) =>
  writeRequestHead(
    request(`GET /a HTTP/1.1\r\nHost: x\r\n${lines.map((l) => `${l}\r\n`).join("")}\r\n`),
    origin,
  )

const answered = (...lines: readonly string[]) => {
  const text = `HTTP/1.1 200 Fine\r\n${lines.map((l) => `${l}\r\n`).join("")}\r\n`
  const read = readResponseHead(Buffer.from(text, "latin1"), 0, "GET")
  if (!read) throw new Error("not a whole head")
  return writeResponseHead(read.head, {
    framing: read.head.framing,
    close: false,
    keepAlive: false,
    extra: "",
  })
}

describe("a request towards an instance", () => {
  it("leaves out what concerned the client's connection only", () => {
    const text = sent(
      "Connection: x-secret, keep-alive",
      "X-Secret: 1",
      "Keep-Alive: 5",
      "TE: trailers",
      "Proxy-Connection: a",
      "Proxy-Authorization: b",
      "Upgrade: websocket",
      "Accept: c",
    )
    expect(text).not.toMatch(/secret|keep-alive|^TE|proxy|upgrade/im)
    expect(text).toContain("Accept: c\r\n")
  })

  it("keeps Host and length even when Connection names them", () => {
    const text = writeRequestHead(
      request("POST / HTTP/1.1\r\nHost: x\r\nConnection: host, content-length\r\nContent-Length: 3\r\n\r\n"),
      origin,
    )
    expect(text).toContain("Host: x\r\n")
    expect(text).toContain("Content-Length: 3\r\n")
  })

  it("says who asked, after what the client says of that", () => {
    const text = sent("X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil")
    expect(text).toContain("X-Forwarded-For: 1.2.3.4, 10.0.0.7\r\n")
    expect(text).toContain("X-Forwarded-Proto: http\r\nX-Forwarded-Host: x\r\nX-Request-Id: id-1\r\n")
    expect(text).not.toMatch(/evil|https/)
  })

  it("is always HTTP/1.1 with a host", () => {
    const text = writeRequestHead(request("GET / HTTP/1.0\r\n\r\n"), origin)
    expect(text.startsWith("GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n")).toBe(true)
  })

  it("is understood by the same strict reader as the client's", () => {
    const head = request("POST /x?y HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nA: \xe4\r\n\r\n")
    const again = request(writeRequestHead(head, origin))
    expect(again).toMatchObject({ method: "POST", target: "/x?y", host: "x", framing: { kind: "chunked" } })
    expect(again.fields).toContainEqual(expect.objectContaining({ name: "A", lower: "a", value: "\xe4" }))
  })
})

describe("a copy of a request", () => {
  it("carries nobody's identity and says what it is", () => {
    const head = request(
      "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nCookie: b\r\nX-Api-Key: c\r\nProxy-Authorization: d\r\nX-Session: f\r\nX-Tenant: g\r\nX-Mirror: no\r\nAccept: e\r\n\r\n",
    )
    const mirror = { to: "preview", sample: 1, timeoutMs: 1_000, headers: ["X-Tenant"] }
    const text = writeMirrorHead(strippedFor(mirror, head), origin)
    expect(text).not.toMatch(/authorization|cookie|api-key|session|no\r/i)
    expect(text).toContain("Accept: e\r\n")
    expect(text).toContain("X-Tenant: g\r\n")
    expect(text.endsWith("X-Mirror: 1\r\n\r\n")).toBe(true)
  })
})

describe("an answer towards a client", () => {
  it("leaves out what concerned the instance's connection, and the marks that only the router makes", () => {
    const text = answered(
      "Connection: x-hop",
      "X-Hop: 1",
      "Keep-Alive: 5",
      "X-Immunity-Router: lie",
      "X-Immunity-Pool: lie",
      "Content-Length: 2",
      "A: b",
    )
    expect(text).toBe("HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 2\r\n\r\n")
  })

  it("tells the length after HEAD and none with 204", () => {
    const write = (text: string, method: string) => {
      const read = readResponseHead(Buffer.from(text), 0, method)
      return (
        read && writeResponseHead(read.head, { framing: noBody, close: true, keepAlive: false, extra: "" })
      )
    }
    expect(write("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD")).toContain("Content-Length: 7")
    expect(write("HTTP/1.1 204 X\r\nContent-Length: 7\r\n\r\n", "GET")).not.toContain("Content-Length")
  })

  it("lets trailers pass that change nothing of the message", () => {
    expect(writeTrailers(readFields("A: b\r\nContent-Length: 3", 0, 9))).toBe("0\r\nA: b\r\n\r\n")
  })
})
