import { lstat, readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Digest } from "../../core/model/ids.ts"
import type { Artifacts } from "../../ports/artifacts.ts"
import type { Builder, BuildOrder, Built } from "../../ports/builder.ts"
import type { Clock } from "../../ports/clock.ts"
import type { Containers } from "../../ports/containers.ts"
import type { Provenance, Provenances } from "../../ports/provenance.ts"
import type { ImageRegistry } from "../../ports/registry.ts"
import { type CommandParts, runCommand } from "./command.ts"

export type DockerBuilderParts = CommandParts & {
  readonly containers: Containers
  readonly artifacts: Artifacts
  readonly clock: Clock
  /** Told of every image that is built here. */
  readonly provenances: Provenances
  /** Where images go that were built here. */
  readonly registry?: Pick<ImageRegistry, "publish"> | undefined
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
  const { commit, origin, network } = order
  const digest = await containers.build({ context: output, commit, origin, network }, log, signal)
  const built = await containers.image(digest, signal)
  if (!built) return failed(`the engine built ${digest} and does not know it`)
  if (built.volumes.length > 0) {
    await containers.removeImage(digest, signal)
    return failed(
      `the image declares VOLUME ${built.volumes.join(", ")}: instances are read-only and keep nothing; ` +
        "write to /tmp, or keep data outside of the instance",
    )
  }
  const known: Provenance = {
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
  await parts.provenances.remember(known)
  await published(parts, known, log, signal)
  return { kind: "built", digest, bytes: built.bytes }
}

/** A registry that is down makes no build fail: servers are sent the image by this one, and it is pushed when they ask. */
async function published(
  { registry }: DockerBuilderParts,
  known: Provenance,
  log: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  if (!registry) return
  const told = await registry.publish(known, signal).then(
    (copy) => copy && `pushed to ${copy.repository}@${copy.manifest}`,
    (error: unknown) =>
      `NOT PUSHED, other servers are sent it by this one: ${error instanceof Error ? error.message : String(error)}`,
  )
  if (told !== undefined) log(Buffer.from(`${told}\n`))
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

/** Why an image may not run on this server: only what was built from a commit, here or where it came from, may. */
export function objectionTo(
  provenances: Provenances,
  containers: Containers,
  registry?: Pick<ImageRegistry, "pull"> | undefined,
): (image: Digest, signal: AbortSignal) => Promise<string | undefined> {
  return async (image, signal) => {
    const origin = await provenances.of(image)
    if (!origin)
      return `the image ${image} was not built on this server from a commit, nor brought here with its origin; it is not run`
    if (await containers.image(image, signal)) return undefined
    const gone = `there is no image ${image} on this server any more`
    if (!origin.registry || !registry) return `${gone}; build its commit again`
    return registry.pull(origin, signal).then(
      () => undefined,
      (error: unknown) => `${gone}, and ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/** For tests, which run beside the containers: the tree that an image was built from, by the image's digest. */
export function treesOfImages(provenances: Provenances, artifacts: Artifacts): Pick<Artifacts, "copy"> {
  return {
    async copy(image, folder) {
      const known = await provenances.of(image)
      if (!known)
        throw new Error(`the image ${image} was not built on this server; its tests cannot run here`)
      await artifacts.copy(known.tree, folder)
    },
  }
}

const failed = (because: string): Built => ({ kind: "failed", because })
