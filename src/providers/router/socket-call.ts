import { request } from "node:http"

export type Answer =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly problem: { readonly code: string; readonly message: string } }

/** Asks over a unix socket. Throws a sentence when nobody answers: then the outcome is unknown. */
export function call(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" }
    const asked = request({ socketPath, method, path, signal, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on("data", (chunk: Buffer) => chunks.push(chunk))
      answer.on("error", reject)
      answer.on("end", () => {
        try {
          resolve(understood(answer.statusCode ?? 0, Buffer.concat(chunks).toString("utf8")))
        } catch (error) {
          reject(error)
        }
      })
    })
    asked.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        isNobody(error) ? new Error(`nobody answers at ${shortened(socketPath)}: ${error.message}`) : error,
      ),
    )
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

function understood(status: number, text: string): Answer {
  const body: unknown = JSON.parse(text)
  if (status === 200) return { ok: true, body }
  const { error } = body as { readonly error?: { readonly code?: string; readonly message?: string } }
  return {
    ok: false,
    problem: { code: error?.code ?? "unknown", message: error?.message ?? text.slice(0, 500) },
  }
}

const isNobody = (error: NodeJS.ErrnoException): boolean =>
  error.code === "ENOENT" || error.code === "ECONNREFUSED"

const shortened = (path: string): string => path.split("/").slice(-2).join("/")
