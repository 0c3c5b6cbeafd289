import { spawn } from "node:child_process"

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

/** Runs the launcher as a user would, with this in its standard input, and waits for its end. */
export function immunity(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = "",
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn("bin/immunity", args, {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    })
    // Whoever ends without reading it is not at fault.
    child.stdin.on("error", () => undefined)
    child.stdin.end(input)
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })
}
