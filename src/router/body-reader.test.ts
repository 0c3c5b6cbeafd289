import { describe, expect, it } from "vitest"
import { BodyReader } from "./body-reader.ts"
import { chunkedBody, type Framing } from "./framing.ts"

/** Feeds the bytes in pieces of a size; what came out and what was left over. */
function read(framing: Framing, text: string, pieces: number) {
  const reader = new BodyReader(framing)
  const bytes = Buffer.from(text, "latin1")
  let content = ""
  let consumed = 0
  while (consumed < bytes.length && !reader.done) {
    const piece = bytes.subarray(consumed, consumed + pieces)
    consumed += reader.feed(piece, 0, (slice) => {
      content += slice.toString("latin1")
    })
  }
  return { content, done: reader.done, rest: text.slice(consumed), trailers: reader.trailers }
}

describe("a body", () => {
  it.each([1, 2, 3, 7, 1_000])("of a known length ends exactly there, in pieces of %i", (pieces) => {
    const found = read({ kind: "length", bytes: 5 }, "helloGET /", pieces)
    expect(found).toMatchObject({ content: "hello", done: true, rest: "GET /" })
  })

  it.each([1, 2, 3, 7, 1_000])("in chunks is put together, in pieces of %i", (pieces) => {
    const text = "5;a=b;c\r\nhello\r\n00000A\r\n, 世\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\nGET /"
    const bytes = Buffer.from(text).toString("latin1")
    const found = read(chunkedBody, bytes, pieces)
    expect(Buffer.from(found.content, "latin1").toString()).toBe("hello, 世\r\nabc")
    expect(found).toMatchObject({
      done: true,
      rest: "GET /",
      trailers: [{ name: "X-Sum", lower: "x-sum", value: "1" }],
    })
  })

  it("without content is complete at once", () => {
    expect(new BodyReader({ kind: "none" }).done).toBe(true)
    expect(read(chunkedBody, "0\r\n\r\nrest", 1)).toMatchObject({ content: "", done: true, rest: "rest" })
  })

  it.each([
    ["no size", "\r\nhello"],
    ["no hexadecimal size", "g\r\n"],
    ["a sign", "+5\r\nhello\r\n"],
    ["0x", "0x5\r\nhello\r\n"],
    ["a space before the size", " 5\r\nhello\r\n"],
    ["a space after the size", "5 \r\nhello\r\n"],
    ["a space before an extension", "5 ;a\r\nhello\r\n"],
    ["a space in an extension", "5; a\r\nhello\r\n"],
    ["an empty extension", "5;\r\nhello\r\n"],
    ["an extension that is no token", "5;a=b:\r\nhello\r\n"],
    ["17 digits", "00000000000000005\r\nhello\r\n"],
    ["a size that no number holds", "ffffffffffffffff\r\n"],
    ["bare LF after the size", "5\nhello\r\n"],
    ["bare CR after the size", "5\rhello\r\n"],
    ["bare LF in an extension", "5;a\nhello\r\n"],
    ["no CRLF after a chunk", "5\r\nhelloX"],
    ["bare LF after a chunk", "5\r\nhello\n0\r\n\r\n"],
    ["a longer chunk than said", "5\r\nhello!\r\n"],
    ["a broken trailer", "0\r\nno colon\r\n\r\n"],
    ["bare LF in the trailer", "0\r\nA: b\nC: d\r\n\r\n"],
    ["a length in the trailer", "0\r\nContent-Length: 3\r\n\r\n"],
    ["the end of the connection in the trailer", "0\r\nConnection: close\r\n\r\n"],
    ["an endless extension", `5;${"a".repeat(2_000)}`],
    ["an endless trailer", `0\r\n${"A: b\r\n".repeat(3_000)}`],
  ])("in chunks is refused with %s", (_, text) => {
    for (const pieces of [1, 1_000_000]) expect(() => read(chunkedBody, text, pieces)).toThrow()
  })
})
