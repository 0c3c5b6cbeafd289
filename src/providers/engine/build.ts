import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Digest } from "../../core/model/ids.ts"
import type { ImageOrder } from "../../ports/containers.ts"
import { BuildLine, digestOf, read } from "./answers.ts"
import { open } from "./wire.ts"

/** What a build may use; a build that needs more is ended. */
const memory = 4 * 1024 ** 3

/**
 * Has an image built from a folder with a Dockerfile. Equal folders at equal commits become equal images where
 * the engine can set times (Podman); nothing about the moment or the job goes into it.
 */
export async function buildImage(
  socket: string,
  order: ImageOrder,
  log: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<Digest> {
  const tar = packed(order.context)
  try {
    const answer = await open(socket, {
      method: "POST",
      path: "/build",
      query: query(order),
      tar: tar.stdout,
      signal,
    })
    let id: string | undefined
    for await (const line of createInterface({ input: answer })) {
      if (line.trim() === "") continue
      const said = read(BuildLine, JSON.parse(line))
      if (said.stream) log(Buffer.from(said.stream))
      if (said.error) throw new Error(said.error.trim())
      id = said.aux?.ID ?? id
    }
    if (id === undefined) throw new Error("the engine named no image")
    return digestOf(id)
  } finally {
    tar.kill("SIGKILL")
  }
}

/** A folder as a tar that depends on nothing but its content. */
const packed = (folder: string) =>
  spawn(
    "tar",
    ["-c", "--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0", "-C", folder, "."],
    { stdio: ["ignore", "pipe", "ignore"] },
  )

const query = ({ commit, network }: ImageOrder): Readonly<Record<string, string>> => ({
  // The names are those of the OCI image specification, "Pre-Defined Annotation Keys".
  ...(commit === undefined
    ? {}
    : { labels: JSON.stringify({ "org.opencontainers.image.revision": commit }) }),
  ...(network === "none" ? { networkmode: "none" } : {}),
  // Podman's word.
  timestamp: "0",
  rm: "true",
  forcerm: "true",
  memory: String(memory),
})
