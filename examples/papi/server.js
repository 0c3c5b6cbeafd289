// Papi: a small HTTP service, the application of the demo. `flaw` is what a bad commit changes.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"

const { flaw, speed } = JSON.parse(readFileSync(new URL("./papi.json", import.meta.url), "utf8"))
const release = process.env.IMMUNITY_RELEASE ?? "none"
const hoard = []
let dying = false

const server = createServer((request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json", "x-release": release })
    response.end(JSON.stringify(body))
  }
  if (request.url === "/healthz") return answer(200, { ok: true })
  const write = request.method === "POST"
  request.resume()
  request.on("end", () => {
    if (write && flaw === "crash" && !dying) {
      dying = true
      setTimeout(() => process.exit(1), 1_000)
    }
    if (write && flaw === "leak") hoard.push(Buffer.alloc(4 * 1024 * 1024, 1))
    const failing = write && flaw === "errors" ? 0.4 : 0.001
    const slowly = write && flaw === "slow" ? 150 : 0
    setTimeout(
      () => {
        if (Math.random() < failing) return answer(500, { error: "the batch was lost" })
        if (flaw === "wrong") return answer(200, { price: -1 })
        return answer(200, { price: 42, items: Array.from({ length: 8 }, (_, i) => ({ id: i })) })
      },
      speed + Math.random() * speed + slowly,
    )
  })
})
server.keepAliveTimeout = 60_000
// A real service has something to load first; START_MS says how long it takes here.
const listen = () => server.listen(Number(process.env.PORT), process.env.HOST ?? "127.0.0.1")
setTimeout(listen, Number(process.env.START_MS ?? 0))
process.on("SIGTERM", () => server.close(() => process.exit(0)))
