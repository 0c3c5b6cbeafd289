import { request } from "node:http"
import { join } from "node:path"
import type { RouterCounters } from "../../ports/counters.ts"
import type { Applied, Released, Router, RouterState } from "../../ports/router.ts"

type Answer =
  | { readonly ok: true }
  | { readonly refused: { readonly code: "stale" | "invalid" | "address-in-use"; readonly because: string } }

/** Our own router, through the sockets in its folder. */
export function embeddedRouter(options: { readonly dir: string }): Router {
  const control = join(options.dir, "control.sock")
  const applied = (answer: Answer): Applied =>
    "ok" in answer ? { kind: "applied" } : { kind: "refused", ...answer.refused }
  return {
    async fence(app, epoch, signal) {
      return applied(await call<Answer>(control, "POST", "/fence", { app, epoch }, signal))
    },
    async setRoutes(fence, routes, signal) {
      return applied(await call<Answer>(control, "PUT", "/table", { ...fence, routes }, signal))
    },
    async release(fence, instance, drain, signal): Promise<Released> {
      const answer = await call<Answer | { readonly weight: number; readonly inFlight: number }>(
        control,
        "POST",
        "/release",
        { ...fence, instance, drain },
        signal,
      )
      if ("ok" in answer) return { kind: "released" }
      if ("refused" in answer) throw new Error(answer.refused.because)
      return { kind: "busy", ...answer }
    },
    state: (signal) => call<RouterState>(control, "GET", "/state", undefined, signal),
    counters: (signal) =>
      call<RouterCounters>(join(options.dir, "stats.sock"), "GET", "/stats", undefined, signal),
  }
}

/** A connection of its own each time: one that was kept open would go on answering after the socket is gone. */
function call<T>(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, method, path, signal, agent: false, headers: { "content-type": "application/json" } },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on("data", (chunk: Buffer) => chunks.push(chunk))
        answer.on("error", reject)
        answer.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8")
          if (answer.statusCode === 200) resolve(JSON.parse(text) as T)
          else reject(new Error(`the router refused ${path}: ${text.slice(0, 500)}`))
        })
      },
    )
    asked.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT" || error.code === "ECONNREFUSED"
          ? new Error(`nobody answers at ${socketPath.split("/").slice(-2).join("/")}`)
          : error,
      ),
    )
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
