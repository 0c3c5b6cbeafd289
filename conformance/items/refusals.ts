import type { Item } from "../product.ts"
import type { Seen } from "../stage/backend.ts"
import { fieldOf } from "../stage/read-answers.ts"
import { must } from "../stage/waiting.ts"
import { ask, ok, refuses, request, type Variant } from "./plain.ts"

const hidden = "GET /smuggled HTTP/1.1\r\nHost: x.test\r\n\r\n"

const post = (
  name: string,
  fields: readonly string[],
  body: string,
  more: Partial<Variant> = {},
): Variant => ({
  name,
  bytes: request("POST", "TARGET", fields, body),
  ...more,
})

const count = (seen: Seen, name: string): number => seen.fields.filter(([one]) => one === name).length

const hasOneFraming = (seen: Seen): boolean =>
  count(seen, "content-length") + count(seen, "transfer-encoding") === 1

/** Every line of the head is a whole one: no bare CR or LF, no NUL, no folded line. */
const isCanonical = (seen: Seen): boolean =>
  !/[\0\r\n]/.test(seen.head.replaceAll("\r\n", "")) &&
  seen.head
    .split("\r\n")
    .slice(1)
    .every((line) => /^[^\s:]+:/.test(line))

const hasHello = (seen: Seen): boolean => seen.body === "hello" && hasOneFraming(seen) && isCanonical(seen)

/** What two readers could understand differently. */
export const refusals: readonly Item[] = [
  {
    id: "01",
    title: "Content-Length and Transfer-Encoding together",
    check: (stage) =>
      refuses(stage, [
        post("length first", ["Content-Length: 6", "Transfer-Encoding: chunked"], "0\r\n\r\nG", {
          orSentOn: hasOneFraming,
        }),
        post(
          "chunks first",
          ["Transfer-Encoding: chunked", `Content-Length: ${5 + hidden.length}`],
          `0\r\n\r\n${hidden}`,
          { orSentOn: hasOneFraming },
        ),
        post(
          "a length that hides a request",
          ["Transfer-Encoding: chunked", "Content-Length: 3"],
          `1\r\na\r\n0\r\n\r\n${hidden}`,
          { orSentOn: hasOneFraming },
        ),
      ]),
  },
  {
    id: "02",
    title: "two Content-Lengths that differ",
    check: (stage) =>
      refuses(stage, [
        post("5 and 6", ["Content-Length: 5", "Content-Length: 6"], "hello!"),
        post("0 and more", ["Content-Length: 0", `Content-Length: ${hidden.length}`], hidden),
        post("in one line", ["Content-Length: 5, 6"], "hello!"),
      ]),
  },
  {
    id: "03",
    title: "Content-Length: 5, 5",
    check: (stage) =>
      refuses(stage, [
        post("a list", ["Content-Length: 5, 5"], "hello", { orSentOn: hasHello }),
        post("two lines", ["Content-Length: 5", "Content-Length: 5"], "hello", { orSentOn: hasHello }),
      ]),
  },
  {
    id: "04",
    title: "Content-Length that is no plain number",
    check: (stage) =>
      refuses(
        stage,
        ["+5", "0x5", "-1", "5 5", "5;", "5.0", "", "99999999999999999999", "\x0b5"].map((value) =>
          post(`Content-Length: ${JSON.stringify(value)}`, [`Content-Length: ${value}`], "hello"),
        ),
      ),
  },
  {
    id: "05",
    title: "Transfer-Encoding in disguise",
    check: (stage) => {
      const chunks = "5\r\nhello\r\n0\r\n\r\n"
      const disguised = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        'Transfer-Encoding: "chunked"',
      ]
      return refuses(stage, [
        ...disguised.map((line) => post(JSON.stringify(line), [line], chunks)),
        post("a tab", ["Transfer-Encoding:\tchunked"], chunks, { orSentOn: hasHello }),
      ])
    },
  },
  {
    id: "06",
    title: "folded header lines",
    check: (stage) =>
      refuses(stage, [
        post("in the middle", ["X-A: one", " two", "Content-Length: 0"], "", { orSentOn: isCanonical }),
        post("of the coding", ["Transfer-Encoding:", " chunked"], "5\r\nhello\r\n0\r\n\r\n", {
          orSentOn: hasHello,
        }),
        {
          name: "at once",
          bytes: "GET TARGET HTTP/1.1\r\n X: y\r\nHost: x.test\r\n\r\n",
          orSentOn: isCanonical,
        },
      ]),
  },
  {
    id: "07",
    title: "two Hosts",
    check: (stage) =>
      refuses(stage, [
        { name: "different", bytes: request("GET", "TARGET", ["Host: y.test"]) },
        { name: "the same", bytes: request("GET", "TARGET", ["Host: x.test"]) },
      ]),
  },
  {
    id: "08",
    title: "no Host in HTTP/1.1",
    check: (stage) => refuses(stage, [{ name: "no Host", bytes: "GET TARGET HTTP/1.1\r\nA: b\r\n\r\n" }]),
  },
  {
    id: "09",
    title: "lines that end in a bare LF",
    check: (stage) =>
      refuses(stage, [
        { name: "all", bytes: "GET TARGET HTTP/1.1\nHost: x.test\n\n", orSentOn: isCanonical },
        {
          name: "one",
          bytes: "GET TARGET HTTP/1.1\r\nHost: x.test\nX-A: b\r\n\r\n",
          orSentOn: isCanonical,
        },
        post("a chunk size", ["Transfer-Encoding: chunked"], "5\nhello\r\n0\r\n\r\n", { orSentOn: hasHello }),
      ]),
  },
  {
    id: "10",
    title: "bare CR and NUL in a value",
    check: (stage) =>
      refuses(stage, [
        { name: "CR", bytes: request("GET", "TARGET", ["X-A: b\rX-B: c"]), orSentOn: isCanonical },
        { name: "NUL", bytes: request("GET", "TARGET", ["X-A: b\0c"]), orSentOn: isCanonical },
        { name: "CR in the request line", bytes: "GET TARGET\r HTTP/1.1\r\nHost: x.test\r\n\r\n" },
      ]),
  },
  {
    id: "11",
    title: "a space in a header name, and an empty name",
    check: (stage) => {
      const isDropped = (seen: Seen) => isCanonical(seen) && !seen.head.includes("odd")
      const odd = (name: string, line: string): Variant => ({
        name,
        bytes: request("GET", "TARGET", [line]),
        orSentOn: isDropped,
      })
      return refuses(stage, [
        odd("a space", "X A: odd"),
        odd("a tab", "X\tA: odd"),
        odd("no name", ": odd"),
        odd("no colon", "odd"),
        post("a space before the colon", [`Content-Length : ${hidden.length}`], hidden),
      ])
    },
  },
  {
    id: "12",
    title: "wrong chunk sizes, and no CRLF behind a chunk",
    check: (stage) => {
      const bodies = {
        "no hexadecimal": "zz\r\nhello\r\n0\r\n\r\n",
        negative: "-5\r\nhello\r\n0\r\n\r\n",
        "0x5": "0x5\r\nhello\r\n0\r\n\r\n",
        "no CRLF": "5\r\nhello0\r\n\r\n",
        "other bytes": "5\r\nhelloXY0\r\n\r\n",
        "too large": "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        empty: "\r\nhello\r\n0\r\n\r\n",
        "a wrapped size": "10000000000000005\r\nhello\r\n0\r\n\r\n",
      }
      return refuses(
        stage,
        Object.entries(bodies).map(([name, body]) => post(name, ["Transfer-Encoding: chunked"], body)),
      )
    },
  },
  {
    id: "42",
    title: "targets: absolute, with another authority than Host, with a fragment, with a space",
    async check(stage) {
      const { site, backend } = await stage.plain()
      await ok(stage, site, request("GET", "http://x.test/absolute?q"))
      const [seen] = backend.requests
      must(
        seen?.target === "/absolute?q" || seen?.target === "http://x.test/absolute?q",
        `an absolute target became ${seen?.target}`,
      )
      await refuses(stage, [
        {
          name: "another authority",
          bytes: request("GET", "http://right.testTARGET"),
          orSentOn: (one) => fieldOf(one, "host") === "right.test",
        },
        {
          name: "a fragment",
          bytes: request("GET", "TARGET#part"),
          orSentOn: (one) => !/#/.test(one.target),
        },
        { name: "a space", bytes: request("GET", "TARGET a") },
        { name: "no path", bytes: request("GET", "wrongTARGET") },
        { name: "a control character", bytes: request("GET", "TARGET\x01") },
      ])
    },
  },
  {
    id: "43",
    title: "CONNECT and TRACE",
    async check(stage) {
      await refuses(stage, [
        { name: "CONNECT", bytes: request("CONNECT", "x.test:443") },
        { name: "TRACE", bytes: request("TRACE", "TARGET") },
      ])
      const { backend } = await stage.plain()
      must(!backend.requests.some((seen) => seen.method === "CONNECT"), "CONNECT reached the backend")
    },
  },
  {
    id: "44",
    title: "HTTP/2 preface, HTTP/1.2, HTTP/0.9",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const preface = ask(stage, site, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").catch(() => undefined)
      await refuses(stage, [
        {
          name: "HTTP/1.2",
          bytes: request("GET", "TARGET", [], "", "HTTP/1.2"),
          orSentOn: (seen) => seen.version === "HTTP/1.1",
        },
        { name: "HTTP/2.0", bytes: request("GET", "TARGET", [], "", "HTTP/2.0") },
        { name: "HTTP/0.9", bytes: request("GET", "TARGET", [], "", "HTTP/0.9") },
        { name: "no version", bytes: "GET TARGET\r\n" },
        { name: "http/1.1", bytes: request("GET", "TARGET", [], "", "http/1.1") },
      ])
      await preface
      must(!backend.requests.some((seen) => seen.method === "PRI"), "the preface reached the backend")
    },
  },
  {
    id: "45",
    title: "query and percent bytes as they were sent",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const targets = [
        "/a%2Fb/%2e%2e/c;d=1?x=%20+&y=%zz&&z=",
        "//double//slash?",
        "/a/../b/./c",
        "/?q=http://other.test/%00%ff",
        "/UPPER/%C3%A4?A=b|c^d`e",
      ]
      for (const target of targets) await ok(stage, site, request("GET", target))
      const seen = backend.requests.map((one) => one.target)
      must(
        JSON.stringify(seen) === JSON.stringify(targets),
        `the targets became ${JSON.stringify(seen.filter((one, at) => one !== targets[at]))}`,
      )
    },
  },
]
