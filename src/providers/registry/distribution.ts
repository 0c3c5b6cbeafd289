import { readFile, stat } from "node:fs/promises"
import type { Containers, RegistryLogin } from "../../ports/containers.ts"
import type { Provenance, Provenances } from "../../ports/provenance.ts"
import type { ImageRegistry } from "../../ports/registry.ts"

export type DistributionParts = {
  readonly containers: Pick<Containers, "push" | "pull" | "image" | "removeImage">
  readonly provenances: Pick<Provenances, "remember">
  /** Where images of this server go, such as `registry.example.com:5000/team/images`; absent: nowhere. */
  readonly repository?: string | undefined
  /** Holds `user:password` in one line, and is read at each use: a changed password needs no restart. */
  readonly loginFile?: string | undefined
}

/**
 * Any registry of the OCI distribution specification, spoken with by the container engine. Its login goes to the
 * host of the configured repository and to no other, whatever an origin says.
 */
export function distributionRegistry(parts: DistributionParts): ImageRegistry {
  const { containers, provenances, repository } = parts
  const loginFor = async (other: string): Promise<RegistryLogin | undefined> =>
    parts.loginFile !== undefined && repository !== undefined && hostOf(other) === hostOf(repository)
      ? readLogin(parts.loginFile)
      : undefined
  return {
    async publish(origin, signal) {
      if (repository === undefined) return undefined
      if (origin.registry?.repository === repository) return origin.registry
      const registry = await containers.push(origin.image, repository, await loginFor(repository), signal)
      await provenances.remember({ ...origin, registry })
      return registry
    },
    async pull(origin, signal) {
      const { image, registry } = origin
      if (!registry) throw new Error(`no registry is known to have the image ${image}`)
      await containers.pull(image, registry, await loginFor(registry.repository), signal)
      await agree(origin, containers, signal)
    },
  }
}

/** What an image says of itself is what its origin says. */
async function agree(
  { image, commit }: Provenance,
  containers: Pick<Containers, "image" | "removeImage">,
  signal: AbortSignal,
): Promise<void> {
  const found = (await containers.image(image, signal))?.labels["org.opencontainers.image.revision"]
  if (found === commit) return
  await containers.removeImage(image, signal)
  throw new Error(`${image} says it is of commit ${found ?? "none"}, and its origin says ${commit}`)
}

async function readLogin(file: string): Promise<RegistryLogin> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`the registry's login cannot be read: ${file} (${error.code})`)
  })
  if ((await stat(file)).mode & 0o077)
    throw new Error(`${file} holds a registry's login and can be read by others; change it (chmod 600)`)
  const line = text.trim()
  const colon = line.indexOf(":")
  if (colon < 1 || line.includes("\n"))
    throw new Error(`${file} does not hold a registry's login: one line, user:password`)
  return { username: line.slice(0, colon), password: line.slice(colon + 1) }
}

const hostOf = (repository: string): string => repository.slice(0, repository.indexOf("/"))
