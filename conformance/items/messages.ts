import { setTimeout as sleep } from "node:timers/promises"
import type { Item } from "../product.ts"
import { answer } from "../stage/backend.ts"
import { Client } from "../stage/client.ts"
import { fieldOf } from "../stage/read-answers.ts"
import { must, soon } from "../stage/waiting.ts"
import { ask, ok, request } from "./plain.ts"

/** What reaches the other side of a message that is well formed. */
export const messages: readonly Item[] = [
  {
    id: "13",
    title: "fields of one connection do not reach the backend",
    async check(stage) {
      const { site, backend } = await stage.plain()
      await ok(
        stage,
        site,
        request("GET", "/", [
          "Connection: keep-alive, X-Named",
          "X-Named: 1",
          "Keep-Alive: timeout=5",
          "TE: trailers, deflate",
          "Proxy-Connection: keep-alive",
          "X-Kept: 1",
        ]),
      )
      const names = backend.requests[0]?.fields.map(([name]) => name) ?? []
      const left = ["x-named", "keep-alive", "te", "proxy-connection"].filter((name) => names.includes(name))
      must(left.length === 0, `reached the backend: ${left.join(", ")}`)
      must(names.includes("x-kept"), "a field of the message was lost too")
    },
  },
  {
    id: "14",
    title: "fields of one connection do not reach the client",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) =>
        answer(
          seen,
          "ok",
          "Connection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-Kept: 1\r\n",
        )
      const { answers } = await ask(stage, site, request("GET", "/"))
      const [first] = answers
      must(first?.status === 200 && first.isWhole, "no answer")
      const left = first.fields.filter(
        ([name, value]) =>
          name === "x-named" ||
          name === "proxy-connection" ||
          (name === "keep-alive" && value === "timeout=5") ||
          (name === "connection" && /x-named/i.test(value)),
      )
      must(left.length === 0, `reached the client: ${left.map(([name]) => name).join(", ")}`)
      must(fieldOf(first, "x-kept") === "1", "a field of the message was lost too")
    },
  },
  {
    id: "15",
    title: "Connection cannot take Host and Content-Length away",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const fields = ["Connection: Host, Content-Length", "Content-Length: 5"]
      const { answers } = await ask(stage, site, request("POST", "/", fields, "hello"), "POST")
      const [first] = answers
      if (first !== undefined && first.status >= 400) return
      const [seen] = backend.requests
      must(seen?.isWhole, "the request did not arrive whole")
      must(seen.body === "hello", `the body became ${JSON.stringify(seen.body)}`)
      must(fieldOf(seen, "host") === "x.test", "Host was taken away")
      must(backend.requests.length === 1, "the body became a request of its own")
    },
  },
  {
    id: "16",
    title: "X-Forwarded-For ends in the client's true address",
    async check(stage) {
      const { site, backend } = await stage.plain()
      await ok(stage, site, request("GET", "/"))
      await ok(stage, site, request("GET", "/", ["X-Forwarded-For: 203.0.113.9"]))
      const last = backend.requests.map((seen) => fieldOf(seen, "x-forwarded-for")?.split(",").at(-1)?.trim())
      must(
        last.length === 2 && last.every((one) => one === "127.0.0.1"),
        `the last address is ${last.join(" and ")}`,
      )
    },
  },
  {
    id: "17",
    title: "Expect: 100-continue from end to end",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onHead = (seen) => {
        if (fieldOf(seen, "expect") !== undefined) seen.socket.write("HTTP/1.1 100 Continue\r\n\r\n")
      }
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("POST", "/", ["Content-Length: 5", "Expect: 100-continue"]), "POST")
      await soon(
        "100 Continue",
        () => client.answers.some((one) => one.status === 100),
        1_000 * stage.patience,
      )
      client.send("hello")
      const [final] = await client.settled()
      must(final?.status === 200 && final.isWhole, `then ${final?.status ?? "nothing"} instead of 200`)
      must(backend.whole[0]?.body === "hello", "the body did not arrive")
      backend.onHead = (seen) => answer(seen, "no", "Connection: close\r\n", "413 Too Large")
      backend.onRequest = () => {}
      const refused = await Client.connect(site.address, stage.cleanup)
      refused.send(request("POST", "/", ["Content-Length: 5", "Expect: 100-continue"]), "POST")
      await soon("the refusal", () => refused.finals.length > 0 || refused.answers.length > 0, 3_000)
      if (refused.finals.length === 0) refused.send("hello")
      const [refusal] = await refused.settled()
      must(refusal?.status === 413, `a refused expectation gave ${refusal?.status ?? "nothing"}`)
    },
  },
  {
    id: "18",
    title: "an expectation that nobody knows",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const { answers } = await ask(stage, site, request("GET", "/", ["Expect: 200-maybe"]))
      const [first] = answers
      must(first?.isWhole, "no answer")
      const isPassed = first.status === 200 && fieldOf(backend.requests[0] ?? first, "expect") === "200-maybe"
      must(first.status === 417 || isPassed, `neither 417 nor passed on: ${first.status}`)
    },
  },
  {
    id: "19",
    title: "103 Early Hints, passed or dropped, and the answer behind it",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        seen.socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        setTimeout(() => answer(seen, "late"), 50)
      }
      const client = await Client.connect(site.address, stage.cleanup)
      for (let turn = 1; turn <= 2; turn += 1) {
        client.send(request("GET", "/"), "GET")
        const finals = await client.settled(turn)
        must(finals[turn - 1]?.status === 200, `answer ${turn} is ${finals[turn - 1]?.status ?? "missing"}`)
        must(finals[turn - 1]?.body === "late", "its body is another one")
      }
      must(
        client.answers.every((one) => one.status === 103 || one.status === 200),
        "something else came in between",
      )
    },
  },
  {
    id: "20",
    title: "an answer in chunks, with a trailer",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        seen.socket.write(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n",
        )
        setTimeout(() => seen.socket.write("6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"), 30)
      }
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("GET", "/"), "GET")
      await client.settled(1)
      client.send(request("GET", "/"), "GET")
      const finals = await client.settled(2)
      must(finals.length === 2, `${finals.length} answers instead of 2`)
      must(
        finals.every((one) => one.isWhole && one.body === "hello world"),
        `the bodies are ${JSON.stringify(finals.map((one) => one.body))}`,
      )
    },
  },
  {
    id: "21",
    title: "a request in chunks, with a trailer",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const client = await Client.connect(site.address, stage.cleanup)
      const body = "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"
      client.send(request("POST", "/1", ["Transfer-Encoding: chunked", "Trailer: X-Sum"], body), "POST")
      client.send(request("GET", "/2"), "GET")
      const finals = await client.settled(2)
      must(
        finals.length === 2 && finals.every((one) => one.status === 200),
        `answered ${finals.map((one) => one.status).join(", ")}`,
      )
      const [first, second] = backend.whole
      must(first?.body === "hello world", `the body became ${JSON.stringify(first?.body)}`)
      must(fieldOf(first, "x-sum") === undefined, "the trailer became a header field")
      must(second?.target === "/2", "the next request was not found")
    },
  },
  {
    id: "22",
    title: "an answer that ends with its connection",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        seen.socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello")
        setTimeout(() => seen.socket.end(" world"), 50)
      }
      const { answers } = await ask(stage, site, request("GET", "/"))
      must(answers[0]?.body === "hello world" && answers[0].isWhole, "the answer is not whole")
    },
  },
  {
    id: "23",
    title: "no chunks for HTTP/1.0",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) =>
        seen.socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
      for (const fields of [[], ["Connection: keep-alive"]]) {
        const { client, answers } = await ask(stage, site, request("GET", "/", fields, "", "HTTP/1.0"))
        const [first] = answers
        must(first !== undefined && first.framing !== "chunked", "chunks were sent to an HTTP/1.0 client")
        must(first.body === "hello", `the body became ${JSON.stringify(first.body)}`)
        if (first.framing === "close") await soon("the end", () => client.state === "ended")
      }
    },
  },
  {
    id: "24",
    title: "HEAD, 204 and 304 have no body and leave the connection usable",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        if (seen.target === "/204") seen.socket.write("HTTP/1.1 204 No Content\r\n\r\n")
        else if (seen.target === "/304")
          seen.socket.write('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 4\r\n\r\n')
        else if (seen.target === "/chunked" && seen.method === "HEAD")
          seen.socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else answer(seen, "body")
      }
      const client = await Client.connect(site.address, stage.cleanup)
      const asked = [
        ["HEAD", "/", 200, ""],
        ["GET", "/204", 204, ""],
        ["GET", "/304", 304, ""],
        ["HEAD", "/chunked", 200, ""],
        ["GET", "/", 200, "body"],
      ] as const
      for (const [at, [method, target, status, body]] of asked.entries()) {
        client.send(request(method, target), method)
        const finals = await client.settled(at + 1, 5_000)
        const got = finals[at]
        must(
          got?.status === status && got.body === body && got.isWhole,
          `${method} ${target} gave ${got?.status} ${JSON.stringify(got?.body)}`,
        )
        must(client.state === "open", `the connection ended after ${method} ${target}`)
      }
    },
  },
  {
    id: "25",
    title: "requests that were sent ahead are answered in order",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        setTimeout(() => answer(seen, seen.target), seen.target === "/1" ? 150 : 5)
      }
      const client = await Client.connect(site.address, stage.cleanup)
      const all =
        request("GET", "/1") +
        request("POST", "/2", ["Content-Length: 5"], "hello") +
        request("GET", "/3") +
        request("POST", "/4", ["Transfer-Encoding: chunked"], "1\r\na\r\n0\r\n\r\n") +
        request("GET", "/5")
      client.send(all, "GET", "POST", "GET", "POST", "GET")
      const finals = await client.settled(5)
      const bodies = finals.map((one) => one.body).join(" ")
      must(bodies === "/1 /2 /3 /4 /5", `the answers are ${bodies}`)
      await sleep(20)
      must(backend.requests.length === 5, `the backend saw ${backend.requests.length} requests`)
    },
  },
]
