import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Type } from "typebox"
import { Value } from "typebox/value"
import type { Digest } from "../../core/model/ids.ts"
import type { Provenance, Provenances } from "../../ports/provenance.ts"

const digest = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" })
/** A host, then a path: what a registry's copy is asked for by. */
const repositoryForm = "^[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$"
const text = Type.String({ maxLength: 20_000 })
const Told = Type.Object(
  {
    image: digest,
    commit: Type.String({ pattern: "^[0-9a-f]{40,64}$" }),
    job: Type.String({ pattern: "^[a-z0-9][a-zA-Z0-9._-]{0,150}$" }),
    tree: digest,
    command: Type.Optional(text),
    network: Type.Union([Type.Literal("none"), Type.Literal("allowed")]),
    bases: Type.Array(Type.Object({ name: text, digest: Type.Optional(digest) }), { maxItems: 100 }),
    engine: text,
    builtAt: Type.Number(),
    registry: Type.Optional(
      Type.Object({ repository: Type.String({ pattern: repositoryForm, maxLength: 255 }), manifest: digest }),
    ),
  },
  { additionalProperties: false },
)

/** Kept as one file an image, `<digest>.json`, in a folder that the agent's owner alone may read. */
export function provenancesIn(dir: string): Provenances {
  const read = (told: string): Provenance => {
    const said: unknown = JSON.parse(told)
    if (Value.Check(Told, said)) return said as Provenance
    const [first] = Value.Errors(Told, said)
    throw new Error(
      `the origin of an image is not told as it should be: ${first?.instancePath} ${first?.message}`,
    )
  }
  return {
    read,
    async of(image) {
      const known = await readFile(file(dir, image), "utf8").catch(() => undefined)
      return known === undefined ? undefined : read(known)
    },
    async remember(provenance) {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const path = file(dir, provenance.image)
      await writeFile(`${path}.new`, JSON.stringify(provenance), { mode: 0o600 })
      await rename(`${path}.new`, path)
    },
    forget: (image) => rm(file(dir, image), { force: true }),
    async from(tree) {
      const names = await readdir(dir).catch(() => [])
      const all = await Promise.all(
        names
          .filter((name) => name.endsWith(".json"))
          .map(async (name) => read(await readFile(join(dir, name), "utf8"))),
      )
      return all.flatMap((known) => (known.tree === tree ? [known.image] : []))
    },
  }
}

function file(dir: string, image: Digest): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(image)) throw new Error(`${image} is not a digest`)
  return join(dir, `${image.slice("sha256:".length)}.json`)
}
