import { spawn } from "node:child_process"
import { PassThrough, type Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

/** The files of a folder as a tar; an error of the program destroys the stream. */
export function packed(folder: string): Readable {
  const tar = spawn("tar", ["-c", "-C", folder, "."], { stdio: ["ignore", "pipe", "ignore"] })
  const out = new PassThrough()
  tar.on("error", (error) => out.destroy(error))
  tar.on("close", (code) => {
    if (code === 0) out.end()
    else out.destroy(new Error(`the artifact could not be packed: tar ended with ${code}`))
  })
  tar.stdout.pipe(out, { end: false })
  out.on("close", () => tar.kill())
  return out
}

/** Unpacks a tar into an empty folder; throws, with what tar said, when it is broken. */
export async function unpackInto(folder: string, from: Readable): Promise<void> {
  const tar = spawn("tar", ["-x", "--no-same-owner", "-f", "-", "-C", folder], {
    stdio: ["pipe", "ignore", "pipe"],
  })
  let said = ""
  tar.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-500)
  })
  const ended = new Promise<void>((resolve, reject) => {
    tar.on("error", reject)
    tar.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`what came could not be unpacked: ${said.trim()}`)),
    )
  })
  // Tar's own word says more than the broken pipe that follows from it.
  const fed = pipeline(from, tar.stdin).catch((error: unknown) => {
    tar.kill()
    return error
  })
  await ended
  const broken = await fed
  if (broken) throw broken
}
