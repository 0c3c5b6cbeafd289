import { setTimeout as sleep } from "node:timers/promises"
import type { Item } from "../product.ts"
import { answer } from "../stage/backend.ts"
import { Client } from "../stage/client.ts"
import { fieldOf } from "../stage/read-answers.ts"
import { becomes, must, soon } from "../stage/waiting.ts"
import { ok, plainTimeouts, refuses, request } from "./plain.ts"

// The example of RFC 6455 1.3.
const handshake = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
const accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

const megabyte = 1024 * 1024

/** Connections over time: upgrades, slow and large ones. */
export const streams: readonly Item[] = [
  {
    id: "34",
    title: "an upgrade: 101, early bytes, an echo, each way ends for itself",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onHead = (seen) => {
        seen.socket.removeAllListeners("data")
        seen.socket.removeAllListeners("end")
        const wants = fieldOf(seen, "upgrade")
        if (wants?.toLowerCase() !== "websocket" || !/upgrade/i.test(fieldOf(seen, "connection") ?? "")) {
          seen.socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
          return
        }
        seen.socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accepted}\r\n\r\nearly;`,
        )
        seen.socket.on("data", (chunk) => seen.socket.write(`<${String(chunk)}>`))
        seen.socket.on("end", () => seen.socket.end("bye"))
      }
      backend.onRequest = () => {}
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("GET", "/ws", handshake), "GET")
      await soon("101 and the early bytes", () => client.text.endsWith("early;"), 5_000)
      const [switched] = client.answers
      must(switched?.status === 101, `got ${switched?.status} instead of 101`)
      must(fieldOf(switched, "upgrade")?.toLowerCase() === "websocket", "Upgrade is missing in the answer")
      client.send("one")
      await soon("the echo", () => client.text.endsWith("<one>"), 5_000)
      client.socket.end()
      await soon("what came after half of it had ended", () => client.text.endsWith("bye"), 5_000)
      await soon("the end", () => client.state === "ended", 5_000)
    },
  },
  {
    id: "35",
    title: "an upgrade that the backend ignores",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => answer(seen, seen.target)
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("GET", "/1", handshake), "GET")
      const [first] = await client.settled(1)
      must(first?.status === 200 && first.body === "/1", `got ${first?.status ?? "nothing"}`)
      client.send(request("GET", "/2"), "GET")
      const second = (await client.settled(2))[1]
      must(second?.body === "/2" && second.isWhole, "the next request on it was not answered")
    },
  },
  {
    id: "36",
    title: "a head that comes one byte every 300 ms is cut",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const client = await Client.connect(site.address, stage.cleanup)
      const head = request("GET", "/slow", [`X: ${"y".repeat(200)}`])
      const before = performance.now()
      let at = 0
      client.send(head.charAt(at))
      const timer = setInterval(() => {
        at += 1
        client.send(head.charAt(at))
      }, 300)
      stage.cleanup.add(() => clearInterval(timer))
      const isCut = await becomes(
        () => client.state !== "open" || client.text.length > 0,
        plainTimeouts.headerTimeout * 4,
      )
      clearInterval(timer)
      must(isCut, `still open after ${Math.round(performance.now() - before)} ms`)
      must(performance.now() - before > plainTimeouts.headerTimeout / 2, "cut much too soon")
      must(backend.requests.length === 0, "it reached the backend")
    },
  },
  {
    id: "37",
    title: "a header of 80 KB, and 2,000 headers",
    async check(stage) {
      const { site } = await stage.plain()
      const many = Array.from({ length: 2_000 }, (_, at) => `X-${at}: y`)
      await refuses(stage, [
        { name: "80 KB", bytes: request("GET", "TARGET", [`X: ${"y".repeat(80_000)}`]) },
        { name: "2,000 headers", bytes: request("GET", "TARGET", many) },
        { name: "a target of 80 KB", bytes: request("GET", `TARGET${"y".repeat(80_000)}`) },
      ])
      await ok(stage, site, request("GET", "/after"))
    },
  },
  {
    id: "40",
    title: "64 MB for a slow reader do not lie in the router",
    async check(stage) {
      const { site, backend } = await stage.plain()
      const size = 64 * megabyte
      let accepted = 0
      backend.onRequest = (seen) => {
        seen.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
        const piece = Buffer.alloc(megabyte, "x")
        let written = 0
        const more = () => {
          while (written < size) {
            written += piece.length
            const isFree = seen.socket.write(piece, () => {
              accepted += piece.length
            })
            if (!isFree) return
          }
        }
        seen.socket.on("drain", more)
        more()
      }
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("GET", "/large"), "GET")
      await soon("the beginning", () => client.bytes > 0)
      client.socket.pause()
      await sleep(1_000)
      // Two pairs of socket buffers lie between; the router itself must hold little.
      must(accepted <= 24 * megabyte, `${Math.round(accepted / megabyte)} MB were taken from the backend`)
      client.socket.resume()
      await soon("the rest", () => client.bytes >= size || client.state !== "open", 30_000)
      const head = client.text.indexOf("\r\n\r\n") + 4
      must(client.bytes - head === size, `${client.bytes - head} bytes came instead of ${size}`)
    },
  },
  {
    id: "41",
    title: "a client that has ended its half still gets the answer",
    async check(stage) {
      const { site, backend } = await stage.plain()
      backend.onRequest = (seen) => {
        setTimeout(() => answer(seen, "late"), 300)
      }
      const client = await Client.connect(site.address, stage.cleanup)
      client.send(request("GET", "/"), "GET")
      client.socket.end()
      const [first] = await client.settled(1)
      must(first?.status === 200 && first.body === "late", `got ${first?.status ?? "nothing"}`)
    },
  },
]
