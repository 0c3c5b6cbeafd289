import { expect, it } from "vitest"
import { compare, isFault } from "./compare.ts"
import { readWithLlhttp } from "./llhttp.ts"
import { mutated } from "./mutations.ts"
import { readWithOurs } from "./ours.ts"
import { fuzz, one } from "./run.ts"

it("accepts nothing alone, reads nothing differently and leaves no difference unexplained in 10,000 mutated requests", () => {
  const report = fuzz(10_000, 20_261_121)
  expect(report.findings).toEqual([])
  expect(report).toMatchObject({ cases: 10_000, acceptedOnlyByUs: 0, readDifferently: 0, unexplained: 0 })
  // Neither reader refuses everything: the comparison would be worth nothing.
  expect(report.outcomes.same).toBeGreaterThan(500)
  expect(report.outcomes["both-refuse"]).toBeGreaterThan(500)
})

it("gives the same bytes for the same seed and number, and others for others", () => {
  expect(mutated(7, 42)).toEqual(mutated(7, 42))
  const distinct = new Set(Array.from({ length: 200 }, (_, at) => mutated(7, at).toString("latin1")))
  expect(distinct.size).toBeGreaterThan(150)
})

it("notices a reader that takes a bare LF for a line end", () => {
  const bytes = Buffer.from("GET / HTTP/1.1\r\nHost: x\nContent-Length: 3\r\n\r\nabc")
  const lax = (all: Buffer) => readWithOurs(Buffer.from(all.toString("latin1").replace(/\r?\n/g, "\r\n")))
  expect(compare(bytes, 1).outcome).not.toBe("accepted-only-by-us")
  expect(compare(bytes, 1, lax).outcome).toBe("accepted-only-by-us")
})

it("notices a reader that believes the length where chunks are said too", () => {
  const text = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
  const lax = (all: Buffer) =>
    readWithOurs(
      Buffer.from(all.toString("latin1").replace("Transfer-Encoding: chunked", "Content-Length: 11")),
    )
  const { outcome } = compare(Buffer.from(text), 1, lax)
  expect(outcome).toBe("read-differently")
  expect(isFault(outcome)).toBe(true)
})

it("reads with llhttp as strictly as node:http does", () => {
  const read = (text: string) => readWithLlhttp(Buffer.from(text, "latin1"), undefined)
  expect(read("GET / HTTP/1.1\r\nHost: x\r\n\r\n").messages).toHaveLength(1)
  for (const wrong of [
    "GET / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
    "GET / HTTP/1.1\r\nA: b\r\n c\0\r\n\r\n",
    "helloGET / HTTP/1.1\r\n\r\n",
  ])
    expect(read(wrong).stopped.kind, wrong).toBe("refused")
})

it("seed 3, case 32417: a tab behind the coding, which llhttp refuses, is refused", () => {
  const { bytes, compared } = one(3, 32_417)
  expect(bytes.toString("latin1")).toContain("Transfer-Encoding: chunked\t\r\n")
  expect(compared).toEqual({ outcome: "both-refuse", because: "" })
})

it("seed 13, case 4878: a no-break space before keep-alive is no space", () => {
  const { bytes, compared } = one(13, 4_878)
  expect(bytes.toString("latin1")).toContain("Connection:\xa0 keep-alive")
  expect(compared.outcome).toBe("same")
})
