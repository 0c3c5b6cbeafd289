import { lstat, mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Digest } from "../../core/model/ids.ts"
import type { Artifacts } from "../../ports/artifacts.ts"
import type { Builder, BuildOrder, Built } from "../../ports/builder.ts"
import type { Clock } from "../../ports/clock.ts"
import type { Containers } from "../../ports/containers.ts"
import { type CommandParts, runCommand } from "./command.ts"

export type DockerBuilderParts = CommandParts & {
  readonly containers: Containers
  readonly artifacts: Artifacts
  readonly clock: Clock
  /** Holds what is known of every image that was built here: `<digest>.json`. */
  readonly dir: string
}

/** Where an image came from: enough to ask whether it is what it says, and to build it again. */
type Provenance = {
  readonly image: Digest
  readonly commit: string
  readonly job: string
  /** The tree that was handed to the engine, by content. */
  readonly tree: Digest
  readonly command: string | undefined
  readonly network: "none" | "allowed"
  /** What the names after FROM meant when it was built. */
  readonly bases: readonly { readonly name: string; readonly digest: Digest | undefined }[]
  readonly engine: string
  readonly builtAt: number
}

/** Builds an image from the Dockerfile in the output folder, after the command, where there is one. */
export function dockerBuilder(parts: DockerBuilderParts): Builder {
  return {
    async build(order, log, signal): Promise<Built> {
      const ran = await runCommand(parts, order, log, signal)
      if ("failed" in ran) return { kind: "failed", because: ran.failed }
      const timeout = AbortSignal.timeout(order.timeout)
      try {
        return await image(parts, order, ran.output, log, AbortSignal.any([signal, timeout]))
      } catch (error) {
        if (timeout.aborted)
          return {
            kind: "failed",
            because: `the image was not built within ${order.timeout / 1_000} s; the build was ended`,
          }
        return { kind: "failed", because: error instanceof Error ? error.message : String(error) }
      }
    },
  }
}

async function image(
  parts: DockerBuilderParts,
  order: BuildOrder,
  output: string,
  log: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<Built> {
  const { containers } = parts
  const dockerfile = await lstat(join(output, "Dockerfile")).catch(() => undefined)
  if (!dockerfile?.isFile()) return failed(`there is no Dockerfile in ${order.output} at this commit`)
  const tree = await parts.artifacts.add(output)
  const { commit, network } = order
  const digest = await containers.build({ context: output, commit, network }, log, signal)
  const built = await containers.image(digest, signal)
  if (!built) return failed(`the engine built ${digest} and does not know it`)
  if (built.volumes.length > 0) {
    await containers.removeImage(digest, signal)
    return failed(
      `the image declares VOLUME ${built.volumes.join(", ")}: instances are read-only and keep nothing; ` +
        "write to /tmp, or keep data outside of the instance",
    )
  }
  const provenance: Provenance = {
    image: digest,
    commit,
    job: order.job,
    tree: tree.digest,
    command: order.command,
    network,
    bases: await basesOf(containers, await readFile(join(output, "Dockerfile"), "utf8"), signal),
    engine: await containers.version(signal),
    builtAt: parts.clock.now(),
  }
  await mkdir(parts.dir, { recursive: true, mode: 0o700 })
  const file = provenanceFile(parts.dir, digest)
  await writeFile(`${file}.new`, JSON.stringify(provenance), { mode: 0o600 })
  await rename(`${file}.new`, file)
  return { kind: "built", digest, bytes: built.bytes }
}

/** Names that a Dockerfile builds on; stages of its own mean nothing to the engine. */
function basesOf(
  containers: Containers,
  dockerfile: string,
  signal: AbortSignal,
): Promise<Provenance["bases"]> {
  const names = [...dockerfile.matchAll(/^\s*FROM\s+(?:--\S+\s+)*(\S+)/gim)].map(([, name = ""]) => name)
  return Promise.all(
    [...new Set(names)].map(async (name) => ({
      name,
      digest: name === "scratch" ? undefined : await containers.meaning(name, signal),
    })),
  )
}

/** Why an image may not run on this server: only what was built here from a commit, and is still there, may. */
export function objectionTo(
  dir: string,
  containers: Containers,
): (image: Digest, signal: AbortSignal) => Promise<string | undefined> {
  return async (image, signal) => {
    const known = await readFile(provenanceFile(dir, image), "utf8").catch(() => undefined)
    if (known === undefined)
      return `the image ${image} was not built on this server from a commit; it is not run`
    if (!(await containers.image(image, signal)))
      return `there is no image ${image} on this server any more; build its commit again`
    return undefined
  }
}

/** For tests, which run beside the containers: the tree that an image was built from, by the image's digest. */
export function treesOfImages(dir: string, artifacts: Artifacts): Pick<Artifacts, "copy"> {
  return {
    async copy(digest, folder) {
      const text = await readFile(provenanceFile(dir, digest), "utf8").catch(() => undefined)
      if (text === undefined)
        throw new Error(`the image ${digest} was not built on this server; its tests cannot run here`)
      await artifacts.copy((JSON.parse(text) as Provenance).tree, folder)
    },
  }
}

const provenanceFile = (dir: string, digest: Digest): string => {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`${digest} is not a digest`)
  return join(dir, `${digest.slice("sha256:".length)}.json`)
}

const failed = (because: string): Built => ({ kind: "failed", because })
