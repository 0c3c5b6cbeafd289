import { spawn } from "node:child_process"
import { PassThrough, type Readable, Transform } from "node:stream"
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

/** Of an image with its tree, or of a folder; more would only fill a disk. */
const mostBytes = 16 * 1024 ** 3

/** Lets so many bytes through and throws, with what it is called, when more come. */
export function atMost(bytes: number, what: string): Transform {
  let seen = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      seen += chunk.length
      if (seen > bytes) done(new Error(`${what} is larger than ${bytes / 1024 ** 2} MiB`))
      else done(null, chunk)
    },
  })
}

/** Unpacks a tar into an empty folder; throws, with what tar said, when it is broken. */
export async function unpackInto(folder: string, from: Readable): Promise<void> {
  // Read to its very end: a reader that went at the end mark would break the connection that it comes by.
  const tar = spawn("tar", ["-x", "--ignore-zeros", "--no-same-owner", "-f", "-", "-C", folder], {
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
  const fed = pipeline(from, atMost(mostBytes, "what came"), tar.stdin).catch((error: unknown) => {
    tar.kill()
    return error
  })
  await ended
  const broken = await fed
  if (broken) throw broken
}
