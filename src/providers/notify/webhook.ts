import { createHmac } from "node:crypto"
import type { Instant } from "../../core/model/time.ts"
import type { Notice, Notifier } from "../../ports/notifier.ts"

export type WebhookOptions = {
  /** The moment of a try; the machine's clock unless told otherwise. */
  readonly now?: (() => Instant) | undefined
  /** The secret shared with a receiver: `whsec_` and base64, or plain text. Without one nothing is signed. */
  readonly secret?: ((to: string) => string | undefined) | undefined
  readonly timeoutMs?: number | undefined
}

/**
 * Posts notices as JSON by the rules of Standard Webhooks: `webhook-id` is the same for every try of a
 * notice, `webhook-timestamp` is that of the try, `webhook-signature` is HMAC-SHA256 over both and the body.
 * A receiver takes it by answering 2xx in time; redirects are not followed.
 */
export function webhookNotifier({
  now = Date.now,
  secret,
  timeoutMs = 5_000,
}: WebhookOptions = {}): Notifier {
  return {
    async send(notice, signal) {
      const url = URL.parse(notice.to)
      if (!url || !/^https?:$/.test(url.protocol))
        throw new Error(
          `the webhook ${JSON.stringify(notice.to.slice(0, 100))} is not an address of http or https`,
        )
      const body = bodyOf(notice)
      const id = notice.id.replace(/[^\x21-\x7e]/g, "_")
      const timestamp = String(Math.floor(now() / 1_000))
      const key = secret?.(notice.to)
      const headers: Record<string, string> = {
        "content-type": "application/json",
        "user-agent": "immunity",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
      }
      if (key !== undefined) headers["webhook-signature"] = sign(key, `${id}.${timestamp}.${body}`)
      const status = await post(url, headers, body, timeoutMs, signal)
      if (status < 200 || status > 299) throw new Error(`the webhook at ${url.host} answered ${status}`)
    },
  }
}

async function post(
  url: URL,
  headers: Record<string, string>,
  body: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<number> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    // Loaded when there is something to tell: whoever waits for a start does not wait for it.
    const { request } = await import("undici")
    const answer = await request(url, {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.any([signal, timeout]),
    })
    // What a receiver has to say beyond its status is nobody's concern; a long answer is cut off.
    await answer.body.dump({ limit: 64 * 1024 }).catch(() => {})
    return answer.statusCode
  } catch (error) {
    const because = timeout.aborted
      ? `did not answer within ${timeoutMs / 1_000} s`
      : `cannot be reached: ${error instanceof Error ? error.message || error.name : String(error)}`
    // Only the host: the rest of a webhook's address is often its secret.
    throw new Error(`the webhook at ${url.host} ${because}`)
  }
}

/** `text` is what chat systems show. */
function bodyOf({ id, at, app, type, text, data }: Notice): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), id, app, text, data })
}

function sign(secret: string, content: string): string {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : secret
  return `v1,${createHmac("sha256", key).update(content).digest("base64")}`
}
