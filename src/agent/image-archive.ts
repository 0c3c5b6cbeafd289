import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGunzip } from "node:zlib"
import type { Digest } from "../core/model/ids.ts"

/** The tar that `docker save` and `podman save` write, as far as it is read here. */
type Manifest = readonly { readonly Config: string; readonly Layers: readonly string[] }[]

const mostJson = 4 * 1024 ** 2

/** The part of an image's configuration that is read here. */
type Configuration = {
  readonly config?: { readonly Labels?: Readonly<Record<string, string>> | null }
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

/**
 * Answers the image's labels. Throws, with what is wrong, unless the tar holds one image, and that is the one of this digest to its last byte:
 * the digest is the sum of the configuration, and the configuration names the sum of every layer.
 */
export async function verifyImageArchive(
  file: string,
  digest: Digest,
): Promise<Readonly<Record<string, string>>> {
  const manifest = JSON.parse((await whole(file, "manifest.json")).toString("utf8")) as Manifest
  const [image, ...others] = manifest
  if (!image || others.length > 0) throw new Error(`the tar holds ${manifest.length} images; one is wanted`)
  const configuration = await whole(file, image.Config)
  const found = `sha256:${createHash("sha256").update(configuration).digest("hex")}`
  if (found !== digest) throw new Error(`what came is the image ${found} and not ${digest}`)
  const { config, rootfs } = JSON.parse(configuration.toString("utf8")) as Configuration
  if (rootfs.diff_ids.length !== image.Layers.length)
    throw new Error(`${digest} has ${rootfs.diff_ids.length} layers; ${image.Layers.length} came`)
  for (const [at, layer] of image.Layers.entries()) {
    const sum = await sumOf(entry(file, layer))
    if (sum === rootfs.diff_ids[at]) continue
    // Layers are named by what they unpack to; some engines compress them on the way.
    const unpacked = await sumOf(inflated(entry(file, layer))).catch(() => sum)
    if (unpacked !== rootfs.diff_ids[at])
      throw new Error(`layer ${at + 1} of ${digest} should be ${rootfs.diff_ids[at]}; what came is ${sum}`)
  }
  return config?.Labels ?? {}
}

async function whole(file: string, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of entry(file, name)) {
    bytes += chunk.length
    if (bytes > mostJson) throw new Error(`${name} of the image's tar is larger than 4 MiB`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function inflated(content: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const gunzip = createGunzip()
  // Whoever reads it is told of the error.
  pipeline(Readable.from(content), gunzip).catch(() => undefined)
  return gunzip
}

async function sumOf(content: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256")
  for await (const chunk of content) hash.update(chunk)
  return `sha256:${hash.digest("hex")}`
}

/** What a tar holds under a name, as it comes; nothing is written anywhere. */
async function* entry(file: string, name: string): AsyncGenerator<Buffer> {
  if (!/^[\w][\w./-]{0,300}$/.test(name)) throw new Error(`the image's tar names ${JSON.stringify(name)}`)
  const tar = spawn("tar", ["-x", "-O", "-f", file, "--", name], { stdio: ["ignore", "pipe", "pipe"] })
  let said = ""
  tar.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-300)
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.on("error", reject)
    tar.on("close", resolve)
  })
  ended.catch(() => undefined)
  try {
    yield* tar.stdout as AsyncIterable<Buffer>
    if ((await ended) !== 0) throw new Error(`the image's tar cannot be read: ${said.trim()}`)
  } finally {
    tar.kill("SIGKILL")
  }
}
