import { spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
  const image = await build(socket, order.context, order.network, log, signal)
  const labels = labelsOf(order)
  return labels === undefined ? image : labelled(socket, image, labels, signal)
}

/**
 * In a step of its own, on top of what was built: Podman writes labels that it is given beside a Dockerfile in another
 * order each time, which makes each build another image.
 */
async function labelled(
  socket: string,
  image: Digest,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Digest> {
  const folder = await mkdtemp(join(tmpdir(), "immunity-labels-"))
  try {
    const words = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    const dockerfile = `FROM ${image.slice("sha256:".length)}\nLABEL ${words.join(" ")}\n`
    await writeFile(join(folder, "Dockerfile"), dockerfile)
    return await build(socket, folder, "none", () => undefined, signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function build(
  socket: string,
  context: string,
  network: ImageOrder["network"],
  log: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<Digest> {
  const tar = packed(context)
  try {
    const answer = await open(socket, {
      method: "POST",
      path: "/build",
      query: query(network),
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

/**
 * The names are those of the OCI image specification, "Pre-Defined Annotation Keys". What is created is dated by its
 * commit: the moment of the build would make each build of it another image.
 */
function labelsOf({ commit, origin }: ImageOrder): Readonly<Record<string, string>> | undefined {
  if (commit === undefined) return undefined
  const { source, committedAt } = origin ?? {}
  return {
    "org.opencontainers.image.revision": commit,
    "org.opencontainers.image.version": commit.slice(0, 7),
    ...(source === undefined ? {} : { "org.opencontainers.image.source": source }),
    ...(committedAt === undefined
      ? {}
      : { "org.opencontainers.image.created": new Date(committedAt).toISOString() }),
  }
}

const query = (network: ImageOrder["network"]): Readonly<Record<string, string>> => ({
  ...(network === "none" ? { networkmode: "none" } : {}),
  // Podman's word.
  timestamp: "0",
  rm: "true",
  forcerm: "true",
  memory: String(memory),
})
