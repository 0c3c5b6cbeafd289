import { setTimeout as sleep } from "node:timers/promises"
import type { Item } from "../product.ts"
import { answer } from "../stage/backend.ts"
import { Client } from "../stage/client.ts"
import { becomes, must, soon } from "../stage/waiting.ts"
import { ask, ok, request } from "./plain.ts"

/** Backends that die, lie or stop. */
export const failures: readonly Item[] = [
  {
    id: "26",
    title: "the backend dies before it answers a GET",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => seen.socket.destroy()
      const { client, answers } = await ask(stage, site, request("GET", "/dies"))
      const [first] = answers
      must(first !== undefined, `no answer, the connection is ${client.state}`)
      must([502, 503, 504].includes(first.status), `answered ${first.status} instead of 502`)
      must(backend.requests.length <= 3, `asked ${backend.requests.length} times`)
    },
  },
  {
    id: "27",
    title: "the backend dies before it answers a POST, which is never sent twice",
    async check(stage) {
      const { site, backend } = await stage.plain()
      for (const warm of [false, true]) {
        const client = await Client.connect(site.address, stage.cleanup)
        backend.onRequest = (seen) => answer(seen, "ok")
        let count = 0
        if (warm) {
          client.send(request("GET", "/warm"), "GET")
          count = (await client.settled(1)).length
        }
        backend.onRequest = (seen) => seen.socket.destroy()
        const before = backend.requests.length
        client.send(request("POST", "/dies", ["Content-Length: 5"], "hello"), "POST")
        const got = (await client.settled(count + 1))[count]
        // A connection that ends without a word is no answer either, and no promise broken.
        must(got === undefined ? client.state !== "open" : got.status >= 502, `answered ${got?.status}`)
        await sleep(50)
        must(
          backend.requests.length - before === 1,
          `the POST reached the backend ${backend.requests.length - before} times`,
        )
      }
    },
  },
  {
    id: "28",
    title: "20 GETs and 20 POSTs over connections that the backend closes when they rest",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        answer(seen, "ok")
        // The moment of the close and that of the next request cross in all ways.
        setTimeout(() => seen.socket.end(), 30)
      }
      let client = await Client.connect(site.address, stage.cleanup)
      const wrong: string[] = []
      for (let turn = 0; turn < 40; turn += 1) {
        const isGet = turn % 2 === 0
        if (client.state !== "open") client = await Client.connect(site.address, stage.cleanup)
        client.forget()
        if (isGet) client.send(request("GET", `/get-${turn}`), "GET")
        else client.send(request("POST", `/post-${turn}`, ["Content-Length: 2"], "ab"), "POST")
        const [got] = await client.settled(1)
        if (got?.status !== 200) wrong.push(`a ${isGet ? "GET" : "POST"} gave ${got?.status ?? "nothing"}`)
        await sleep(26 + (turn % 8))
      }
      const posts = backend.requests.filter((seen) => seen.method === "POST").map((seen) => seen.target)
      if (new Set(posts).size !== posts.length) wrong.push("a POST was sent twice")
      must(wrong.length === 0, `${wrong.length} times: ${[...new Set(wrong)].join(", ")}`)
    },
  },
  {
    id: "29",
    title: "the backend dies in a body: the client sees a broken message",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        seen.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        setTimeout(() => seen.socket.destroy(), 50)
      }
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("GET", "/"), "GET")
      await soon("the end of the connection", () => client.state !== "open")
      const [first] = client.finals
      must(!(first?.status === 200 && first.isWhole), "a short answer looks whole")
    },
  },
  {
    id: "30",
    title: "the backend dies in its chunks: the client sees no last chunk",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        seen.socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        setTimeout(() => seen.socket.end(), 50)
      }
      for (const version of ["HTTP/1.1", "HTTP/1.0"]) {
        const client = await Client.connect(site.address, stage.cleanup)
        client.send(request("GET", "/", [], "", version), "GET")
        await soon("the end of the connection", () => client.state !== "open")
        must(!client.text.includes("0\r\n\r\n"), "a last chunk was made up")
        // An answer to HTTP/1.0 ends with its connection: only a reset shows that it is not whole.
        const [first] = client.finals
        const isReset = first?.framing === "close" && client.state === "reset"
        const looksWhole = first?.status === 200 && first.isWhole && !isReset
        must(!looksWhole, `for a client of ${version} the short answer looks whole`)
      }
    },
  },
  {
    id: "31",
    title: "answers of a backend that cannot be understood",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const bad = {
        "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "no number": "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
        junk: "hello, who is there?\r\n\r\n",
        "no status": "HTTP/1.1 abc OK\r\n\r\n",
        "a space in a name": "HTTP/1.1 200 OK\r\nContent Length: 2\r\nContent-Length : 2\r\n\r\nab",
        NUL: "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nab",
      }
      const either = {
        "length and chunks":
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "a folded line": "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nab",
      }
      const wrong: string[] = []
      for (const [name, bytes] of Object.entries({ ...bad, ...either })) {
        backend.onRequest = (seen) => {
          seen.socket.write(bytes, "latin1")
          setTimeout(() => seen.socket.end(), 50)
        }
        const client = await Client.connect(site.address, stage.cleanup)
        client.send(request("GET", "/"), "GET")
        await soon("an answer", () => client.text.length > 0 || client.state !== "open")
        if (!client.text.startsWith("HTTP/1.1 ")) {
          wrong.push(`${name} was passed on as it was`)
          continue
        }
        const [first] = await client.settled(1)
        if (first?.status === 502) continue
        const isTidy = first?.status === 200 && first.isWhole && first.body === "ab"
        const isFolded = client.text.includes("\r\n b")
        if (!(name in either && isTidy && !isFolded)) wrong.push(`${name} gave ${first?.status ?? "nothing"}`)
      }
      must(wrong.length === 0, wrong.join(", "))
    },
  },
  {
    id: "32",
    title: "bytes behind the end of an answer reach nobody",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
      let isEvil = true
      backend.onRequest = (seen) => {
        if (!isEvil) {
          answer(seen, "good")
          return
        }
        if (seen.target === "/at-once")
          seen.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood${evil}`)
        else {
          answer(seen, "good")
          setTimeout(() => seen.socket.write(evil), 30)
        }
      }
      for (const target of ["/at-once", "/later"]) {
        isEvil = true
        const first = await Client.connect(site.address, stage.cleanup)
        first.send(request("GET", target), "GET")
        await first.settled(1)
        isEvil = false
        if (target === "/later") await sleep(80)
        for (let next = 0; next < 5; next += 1) {
          must((await ok(stage, site, request("GET", "/next"))) === "good", "the next client got it")
          first.send(request("GET", "/again"), "GET")
        }
        const own = await first.settled(6)
        must(!own.some((one) => one.body === "evil"), "the same client got it with its next request")
      }
    },
  },
  {
    id: "33",
    title: "an answer while the body is still being sent",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onHead = (seen) => {
        if (seen.method === "POST") answer(seen, "too large", "Connection: close\r\n", "413 Too Large")
      }
      backend.onRequest = (seen) => {
        if (seen.method !== "POST") answer(seen, "ok")
      }
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("POST", "/", ["Content-Length: 10000000"]), "POST")
      const piece = "x".repeat(10_000)
      let sent = 0
      const sending = setInterval(() => {
        if (sent < 100 && client.state === "open") client.send(piece)
        sent += 1
      }, 5)
      const [first] = await client.settled(1, 5_000)
      clearInterval(sending)
      must(first?.status === 413, `got ${first?.status ?? "nothing"} instead of 413`)
      must(first.isWhole && first.body === "too large", "the answer is not whole")
      await ok(stage, site, request("GET", "/after"))
    },
  },
  {
    id: "38",
    title: "a backend that never answers: 504",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = () => {}
      const before = performance.now()
      const { answers } = await ask(stage, site, request("GET", "/"))
      must(answers[0]?.status === 504, `got ${answers[0]?.status ?? "nothing"} instead of 504`)
      must(performance.now() - before > 1_000, "sooner than the timeout")
    },
  },
  {
    id: "39",
    title: "the client goes away: the request at the backend is ended",
    async check(stage) {
      const { backend } = await stage.plain()
      // The response timeout, which would end it too, is far away.
      const site = await stage.open({
        pools: [{ name: "all", weight: 100, instances: [{ id: "all-0", address: backend.address }] }],
        responseTimeout: 60_000,
      })
      const ms = Math.min(3_000 * stage.patience, 30_000)
      const ended = new Set<string>()
      backend.onRequest = (seen) => {
        seen.socket.on("close", () => {
          ended.add(seen.target)
        })
        seen.socket.on("end", () => {
          ended.add(seen.target)
        })
        if (seen.target === "/streaming") {
          seen.socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
          const timer = setInterval(() => seen.socket.write("5\r\nhello\r\n"), 20)
          seen.socket.on("close", () => clearInterval(timer))
        }
      }
      const waiting = await Client.connect(site.address, stage.cleanup)
      waiting.send(request("GET", "/waiting"), "GET")
      await soon("the request at the backend", () => backend.requests.length === 1)
      waiting.socket.resetAndDestroy()
      must(await becomes(() => ended.has("/waiting"), ms), "a reset while waiting ended nothing")
      // Closing sends no reset as long as nothing is written to the client.
      const closing = await Client.connect(site.address, stage.cleanup)
      closing.send(request("GET", "/closing"), "GET")
      await soon("the request at the backend", () => backend.requests.length === 2)
      closing.socket.destroy()
      must(await becomes(() => ended.has("/closing"), ms), "a close while waiting ended nothing")
      const reading = await Client.connect(site.address, stage.cleanup)
      reading.send(request("GET", "/streaming"), "GET")
      await soon("the stream", () => reading.text.includes("hello"))
      reading.socket.destroy()
      must(await becomes(() => ended.has("/streaming"), ms), "leaving a stream ended nothing")
    },
  },
]
