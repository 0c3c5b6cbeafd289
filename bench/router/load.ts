import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export type Loaded = {
  readonly requests: number
  readonly seconds: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const script = fileURLToPath(new URL("users.lua", import.meta.url))

/** Loads an address with wrk: as many requests as it takes, from many users, on connections that stay. */
export async function load(url: string, seconds: number, connections: number): Promise<Loaded> {
  // wrk knows whole seconds only.
  const length = `${Math.max(1, Math.round(seconds))}s`
  const flags = ["-t1", `-c${connections}`, `-d${length}`, "--timeout", "10s", "-s", script, url]
  const child = spawn("wrk", flags, { stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk
    })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", resolve)
  })
  const line = /^RESULT (\{.*\})$/m.exec(output)?.[1]
  if (code !== 0 || line === undefined) throw new Error(`wrk ended with ${code}: ${output}`)
  const told = JSON.parse(line) as Record<"requests" | "us" | "failed" | "p50us" | "p99us", number>
  return {
    requests: told.requests,
    seconds: told.us / 1e6,
    failed: told.failed,
    p50Ms: told.p50us / 1_000,
    p99Ms: told.p99us / 1_000,
  }
}
