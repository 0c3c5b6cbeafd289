// The application under faults: its answers prove what was asked. `flaw` in papi.json is what a bad commit changes.
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"

const { flaw, speed } = JSON.parse(readFileSync(new URL("./papi.json", import.meta.url), "utf8"))
const release = process.env.IMMUNITY_RELEASE ?? "none"
const hoard = []

if (flaw === "flood-log") process.stdout.write(Buffer.alloc(100 * 1024 * 1024, "x"))
if (flaw === "leak") setInterval(() => hoard.push(Buffer.alloc(40 * 1024 * 1024, 1)), 100)

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://papi")
  const id = url.searchParams.get("id") ?? ""
  // What is wrong with a bad release is met by users, not by its tests.
  const meets = (wrong) => flaw === wrong && id !== "test" && Math.random() < 0.4
  const headers = { "content-type": "application/json", "x-release": release }
  const answer = (status, body) => {
    response.writeHead(status, headers)
    response.end(JSON.stringify({ id, ...body }))
  }
  if (url.pathname === "/healthz") return answer(200, { ok: true })
  if (url.pathname === "/stream") {
    response.writeHead(200, headers)
    let sent = 0
    const timer = setInterval(() => {
      response.write(`${"s".repeat(100)}\n`)
      sent += 1
      if (sent < 10) return
      clearInterval(timer)
      response.end(id)
    }, 100)
    request.on("close", () => response.destroyed && clearInterval(timer))
    return
  }
  const hash = createHash("sha256")
  request.on("data", (chunk) => hash.update(chunk))
  request.on("end", () => {
    if (meets("hang")) return
    const slow = url.pathname === "/slow" ? 5_000 : flaw === "slow" ? 150 : 0
    setTimeout(
      () => {
        if (meets("errors")) return answer(500, { error: "the batch was lost" })
        answer(200, { digest: hash.digest("hex") })
      },
      speed + Math.random() * speed + slow,
    )
  })
})
if (flaw === "goodbye") {
  // Closes a connection without a word when it has rested for a moment: a request may just be on its way.
  server.keepAliveTimeout = 40
  server.on("connection", (socket) => {
    let asked = 0
    socket.on("data", () => {
      asked += 1
      if (asked > 1 && Math.random() < 0.2) socket.destroy()
    })
  })
} else server.keepAliveTimeout = 60_000
server.listen(Number(process.env.PORT), process.env.HOST ?? "127.0.0.1")
process.on("SIGTERM", () => server.close(() => process.exit(0)))
