import { describe, expect, it } from "vitest"
import { readFields } from "./fields.ts"

const read = (text: string) => readFields(text, 0, 100)

describe("header fields", () => {
  it("that were said at the same place of the message before are taken from there, line by line", () => {
    const before = read("Host: a\r\nCookie: user=1\r\nTE: x\r\n")
    const next = readFields("Host: a\r\nCookie: user=12\r\nTE: x\r\nHost: a\r\n", 0, 100, before)
    expect(next.map(({ line }) => line)).toEqual([
      "Host: a\r\n",
      "Cookie: user=12\r\n",
      "TE: x\r\n",
      "Host: a\r\n",
    ])
    expect([next[0], next[2]]).toEqual([before[0], before[2]])
    for (const broken of ["Host: a\n", "Host: a\rTE: x\r\n", "Host : a\r\n", " Host: a\r\n"])
      expect(() => readFields(broken, 0, 100, before)).toThrow()
    expect(() => readFields("Host: a\r\nTE: x\r\n", 0, 1, before)).toThrow("more than 1")
  })

  it("read a second time are the same as the first time", () => {
    const text = "Accept: */*\r\nX-Odd:  a b \t\r\nServer:s"
    const first = read(text)
    expect(first.map(({ name, lower, value, line }) => [name, lower, value, line])).toEqual([
      ["Accept", "accept", "*/*", "Accept: */*\r\n"],
      ["X-Odd", "x-odd", "a b", "X-Odd: a b\r\n"],
      ["Server", "server", "s", "Server: s\r\n"],
    ])
    expect(read(text)).toEqual(first)
  })

  it("refused once are refused again", () => {
    for (let time = 0; time < 3; time++) {
      expect(() => read("A: b\r\n c")).toThrow()
      expect(() => read("A : b")).toThrow("not a token")
      expect(() => read("A: \0")).toThrow("control character")
      expect(() => read(": b")).toThrow("not a token")
      expect(() => read("no colon")).toThrow("no colon")
    }
  })

  it("of one user are not remembered for all: what is read is always what was sent", () => {
    for (let user = 0; user < 5_000; user++) {
      const [cookie, other] = read(`Cookie: user=${user}\r\nX-User: ${user}`)
      expect([cookie?.value, other?.value]).toEqual([`user=${user}`, String(user)])
    }
  })

  it("that the router reads itself are told from those that it only hands on", () => {
    const text =
      "HOST: a\r\nX-Forwarded-For: b\r\nTE: c\r\nAccept: d\r\nContent-Length: 1\r\nX-Immunity-Pool: e"
    expect(read(text).map(({ isPlain }) => isPlain)).toEqual([false, false, false, true, false, false])
  })
})
