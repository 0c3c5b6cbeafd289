import { once } from "node:events"
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

type Point = readonly [seconds: number, value: string]

const vector = (points: readonly Point[], labels: object = {}): string =>
  JSON.stringify({
    status: "success",
    data: { resultType: "vector", result: points.map((value) => ({ metric: labels, value })) },
  })

const now = (): number => Date.now() / 1_000
const json = (response: ServerResponse, text: string, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(text)
}
const said =
  (value: string, seconds = now) =>
  (response: ServerResponse): void =>
    json(response, vector([[seconds(), value]]))

/** What a monitoring system may answer instead of the truth. */
export const lies: Readonly<Record<string, (response: ServerResponse) => void>> = {
  timeout: () => undefined,
  "error-500": (response) => json(response, '{"status":"error","error":"overloaded"}', 500),
  html: (response) =>
    void response.writeHead(200, { "content-type": "text/html" }).end("<html>log in</html>"),
  "not-json": (response) => json(response, "{not json"),
  nan: said("NaN"),
  "plus-inf": said("+Inf"),
  "minus-inf": said("-Inf"),
  huge: said("1e308"),
  negative: said("-7"),
  empty: (response) => json(response, vector([])),
  "null-data": (response) => json(response, '{"status":"success","data":null}'),
  forty_mb: (response) => json(response, `{"status":"success","data":"${"x".repeat(40 * 1024 * 1024)}"}`),
  drip: (response) => {
    response.writeHead(200, { "content-type": "application/json" })
    const timer = setInterval(() => response.write(" "), 1_000)
    response.on("close", () => clearInterval(timer))
  },
  stale: said("0", () => now() - 3_600),
  future: said("0", () => now() + 3_600),
  "two-series": (response) =>
    json(
      response,
      vector(
        [
          [now(), "0"],
          [now(), "0"],
        ],
        { instance: "somebody else" },
      ),
    ),
  "all-zero": said("0"),
  "cut-off": (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
    response.write('{"status":')
    setTimeout(() => response.destroy(), 50)
  },
}

/** A monitoring system that lies in one way under each path, as soon as it is told to; until then all is well. */
export class LyingMetrics {
  lying = false
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<LyingMetrics> {
    const server = createServer()
    const lying = new LyingMetrics(server)
    server.on("request", async (request, response) => {
      const kind = request.url?.split("/")[1] ?? ""
      const question = await text(request).catch(() => "")
      const lie = lies[kind]
      if (lying.lying && lie) lie(response)
      // 100 requests in a window, none of them bad.
      else said(question.includes("bad") ? "0" : "100")(response)
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return lying
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
