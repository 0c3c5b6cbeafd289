import { createReadStream, createWriteStream, existsSync } from "node:fs"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import type { Digest } from "../core/model/ids.ts"
import { NotFetched, type TravellingArtifacts } from "../ports/artifacts.ts"
import type { Containers } from "../ports/containers.ts"
import type { Provenance, Provenances } from "../ports/provenance.ts"
import type { ImageRegistry } from "../ports/registry.ts"
import { type ArtifactFolder, discard } from "./artifacts.ts"
import { verifyImageArchive } from "./image-archive.ts"
import { packed, unpackInto } from "./tar.ts"

const patience = 900_000

export type TravellingImagesParts = {
  /** Where what comes and goes lies meanwhile; emptied when it is over. */
  readonly dir: string
  readonly containers: Containers
  readonly provenances: Provenances
  readonly registry?: ImageRegistry | undefined
  readonly artifacts: Pick<ArtifactFolder, "add" | "copy" | "addedAt" | "remove">
}

/**
 * Images that come to other servers: the engine's own tar, the tree that the image was built from (tests run in it) and
 * its origin. Nothing of it is taken in before all of it is what its digest says. Where the servers share a registry,
 * the engine's tar stays away, and the one that gets the rest fetches the image from there.
 */
export function travellingImages(parts: TravellingImagesParts): TravellingArtifacts {
  const { containers, provenances, artifacts } = parts
  let passing = 0
  const folder = async (): Promise<string> => {
    const path = join(parts.dir, `${process.pid}-${passing++}`)
    await mkdir(path, { recursive: true, mode: 0o700 })
    return path
  }
  /** Its origin with where it lies in the registry; as it was while the registry does not take it. */
  const published = async (origin: Provenance, signal: AbortSignal): Promise<Provenance> => {
    const registry = await parts.registry?.publish(origin, signal).catch(() => undefined)
    return registry ? { ...origin, registry } : origin
  }
  const has = async (digest: Digest): Promise<boolean> =>
    (await provenances.of(digest)) !== undefined &&
    (await containers.image(digest, AbortSignal.timeout(30_000))) !== undefined
  return {
    has,
    async pack(digest, lean) {
      const told = await provenances.of(digest)
      if (!told)
        throw new Error(`there is no image ${digest} on this server; build it again or bring it here`)
      const signal = AbortSignal.timeout(patience)
      const origin = lean ? await published(told, signal) : told
      const leaving = await folder()
      try {
        if (!lean || !origin.registry)
          await pipeline(await containers.save(digest, signal), createWriteStream(join(leaving, "image.tar")))
        await artifacts.copy(origin.tree, join(leaving, "tree"))
        await writeFile(join(leaving, "origin.json"), JSON.stringify(origin))
      } catch (error) {
        await discard(leaving)
        throw error
      }
      const tar = packed(leaving)
      tar.on("close", () => void discard(leaving))
      return tar
    },
    async unpack(digest, tar) {
      const coming = await folder()
      try {
        await unpackInto(coming, tar)
        const origin = await readOrigin(provenances, coming, digest)
        const file = join(coming, "image.tar")
        const isLean = !existsSync(file)
        if (isLean) await fetched(parts.registry, origin)
        else await checked(file, origin)
        const { digest: tree } = await artifacts.add(join(coming, "tree"))
        if (tree !== origin.tree)
          throw new Error(`the tree of ${digest} should be ${origin.tree}; what came is ${tree}`)
        if (!isLean) await containers.load(digest, createReadStream(file), AbortSignal.timeout(patience))
        // Last: from now on it may run here.
        await provenances.remember(origin)
      } finally {
        await discard(coming)
      }
    },
    async remove(digest, addedBefore) {
      const origin = await provenances.of(digest)
      if (!origin) return 0
      // Building and bringing an image add its tree, so its time is theirs.
      const at = await artifacts.addedAt(origin.tree)
      if (at !== undefined && at >= addedBefore) return undefined
      const signal = AbortSignal.timeout(60_000)
      const image = await containers.image(digest, signal)
      if (!(await containers.removeImage(digest, signal))) return undefined
      await provenances.forget(digest)
      const others = await provenances.from(origin.tree)
      const tree = others.length > 0 ? undefined : await artifacts.remove(origin.tree, addedBefore)
      // Where somebody else named it too it stays, and is theirs.
      const stays = await containers.image(digest, signal)
      return (stays ? 0 : (image?.bytes ?? 0)) + (tree ?? 0)
    },
  }
}

/** Of the image's tar, that it is the image of this origin to its last byte. */
async function checked(file: string, { image, commit }: Provenance): Promise<void> {
  const found = (await verifyImageArchive(file, image))["org.opencontainers.image.revision"]
  if (found !== commit)
    throw new Error(`${image} says it is of commit ${found ?? "none"}, and its origin says ${commit}`)
}

async function fetched(registry: ImageRegistry | undefined, origin: Provenance): Promise<void> {
  if (!registry) throw new NotFetched("this server fetches nothing from registries")
  await registry.pull(origin, AbortSignal.timeout(patience)).catch((error: unknown) => {
    throw new NotFetched(error instanceof Error ? error.message : String(error))
  })
}

async function readOrigin(provenances: Provenances, coming: string, digest: Digest): Promise<Provenance> {
  const told = await readFile(join(coming, "origin.json"), "utf8").catch(() => undefined)
  if (told === undefined) throw new Error(`nothing came that says where ${digest} is from; it is not taken`)
  const origin = provenances.read(told)
  if (origin.image !== digest)
    throw new Error(`the origin of ${origin.image} came with ${digest}; it is not taken`)
  return origin
}
