import { describe, expect, it } from "vitest"
import { readResponseHead } from "./response-head.ts"

const read = (text: string, method = "GET") => readResponseHead(Buffer.from(text, "latin1"), 0, method)?.head

describe("the head of an answer", () => {
  it("says how long the body is", () => {
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")?.framing).toEqual({
      kind: "length",
      bytes: 5,
    })
    expect(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n")?.framing).toEqual({
      kind: "chunked",
    })
    expect(read("HTTP/1.1 200\r\n\r\n")?.framing).toEqual({ kind: "close" })
  })

  it("means no body after HEAD, with 204 and with 304", () => {
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD")).toMatchObject({
      framing: { kind: "none" },
      length: 5,
      keepAlive: true,
    })
    for (const status of [204, 304])
      expect(read(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`)?.framing).toEqual({ kind: "none" })
  })

  it("keeps the connection only where both sides can tell the end", () => {
    expect(read("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n")?.keepAlive).toBe(false)
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")?.keepAlive).toBe(false)
    expect(read("HTTP/1.1 200 OK\r\n\r\n")?.keepAlive).toBe(false)
  })

  it.each([
    ["31 two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"],
    ["31 length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["31 a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["31 junk", "hello\r\n\r\n"],
    ["31 junk that goes on", "hello wor"],
    ["31 bare LF", "HTTP/1.1 200 OK\nA: b\r\n\r\n"],
    ["31 NUL", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"],
    ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a short status", "HTTP/1.1 20 OK\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["no end", `HTTP/1.1 200 OK\r\nA: ${"b".repeat(70_000)}`],
  ])("is refused: %s", (_, text) => {
    expect(() => read(text)).toThrow()
  })
})
