import { createHmac } from "node:crypto"
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import type { Notice } from "../../ports/notifier.ts"
import { webhookNotifier } from "./webhook.ts"

const now = () => 1_700_000_000_500
const signal = new AbortController().signal
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function receiver(behave: RequestListener): Promise<string> {
  const server = createServer(behave)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/s3cret`
}

type Got = { readonly headers: IncomingHttpHeaders; readonly body: string }

async function taking(): Promise<{ readonly url: string; readonly got: Got[] }> {
  const got: Got[] = []
  const url = await receiver((request, response) => {
    let body = ""
    request.on("data", (chunk) => {
      body += String(chunk)
    })
    request.on("end", () => {
      got.push({ headers: request.headers, body })
      response.writeHead(204).end()
    })
  })
  return { url, got }
}

const notice = (to: string, id = "papi-7-rolled-back"): Notice => ({
  to,
  id,
  at: 1_700_000_000_000,
  app: "papi",
  type: "rolled-back",
  text: "papi: #7 was rolled back — error rate 5 %",
  data: { rollout: 7 },
})

describe("a webhook", () => {
  it("is told by the rules of Standard Webhooks, unsigned without a secret", async () => {
    const { url, got } = await taking()
    await webhookNotifier({ now }).send(notice(url), signal)
    const [only] = got
    expect(only?.headers).toMatchObject({
      "content-type": "application/json",
      "webhook-id": "papi-7-rolled-back",
      "webhook-timestamp": "1700000000",
    })
    expect(only?.headers["webhook-signature"]).toBeUndefined()
    expect(JSON.parse(only?.body ?? "")).toEqual({
      type: "rolled-back",
      timestamp: "2023-11-14T22:13:20.000Z",
      id: "papi-7-rolled-back",
      app: "papi",
      text: "papi: #7 was rolled back — error rate 5 %",
      data: { rollout: 7 },
    })
  })

  it("can check the signature with the secret that it shares", async () => {
    const { url, got } = await taking()
    const secret = `whsec_${Buffer.from("a key of the receiver").toString("base64")}`
    await webhookNotifier({ now, secret: (to) => (to === url ? secret : undefined) }).send(
      notice(url),
      signal,
    )
    const { headers, body } = got[0] ?? { headers: {}, body: "" }
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`
    const expected = createHmac("sha256", "a key of the receiver").update(content).digest("base64")
    expect(headers["webhook-signature"]).toBe(`v1,${expected}`)
  })

  it("cannot be sent headers of someone else's making", async () => {
    const { url, got } = await taking()
    await webhookNotifier({ now }).send(notice(url, "a\r\nx-evil: 1 é"), signal)
    expect(got[0]?.headers["webhook-id"]).toBe("a__x-evil:_1__")
    expect(got[0]?.headers["x-evil"]).toBeUndefined()
  })

  it("that does not answer 2xx in time has not taken it", async () => {
    const send = (url: string, on = signal, timeoutMs = 30_000) =>
      webhookNotifier({ now, timeoutMs }).send(notice(url), on)
    for (const status of [301, 307, 400, 410, 500, 503]) {
      const url = await receiver((_, response) =>
        response.writeHead(status, { location: "http://127.0.0.1:1/" }).end("no"),
      )
      await expect(send(url)).rejects.toThrow(new RegExp(`answered ${status}$`))
    }
    await expect(send(await receiver(() => {}), signal, 500)).rejects.toThrow(/did not answer within 0.5 s/)
    await expect(send(await receiver((request) => request.socket.destroy()))).rejects.toThrow(
      /cannot be reached/,
    )
    await expect(send("http://127.0.0.1:1/hooks/s3cret")).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/)
    await expect(send("file:///etc/passwd")).rejects.toThrow(/is not an address of http or https/)
    await expect(send(await receiver(() => {}), AbortSignal.abort())).rejects.toThrow(/cannot be reached/)
  })

  it("has taken it with its status, however long its answer", async () => {
    const url = await receiver((_, response) => {
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
        if (!response.destroyed) response.once("drain", more)
      }
      more()
    })
    await webhookNotifier({ now }).send(notice(url), signal)
  })

  it("keeps its path out of error messages: it is often the secret", async () => {
    const url = await receiver((_, response) => response.writeHead(500).end())
    await expect(webhookNotifier({ now }).send(notice(url), signal)).rejects.toThrow(/^(?!.*s3cret)/)
  })
})
