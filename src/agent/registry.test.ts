import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { anotherEngine, realEngine } from "../../test/support/engine.ts"
import { login, realRegistry } from "../../test/support/registry.ts"
import type { Digest } from "../core/model/ids.ts"
import { NotFetched, type TravellingArtifacts } from "../ports/artifacts.ts"
import type { Containers } from "../ports/containers.ts"
import type { Provenance } from "../ports/provenance.ts"
import { objectionTo, provenancesIn } from "../providers/builder/index.ts"
import { dockerEngine } from "../providers/engine/index.ts"
import { distributionRegistry } from "../providers/registry/index.ts"
import { artifactFolder } from "./artifacts.ts"
import { travellingImages } from "./images.ts"
import { packed, unpackInto } from "./tar.ts"

const folder = mkdtempSync(join(tmpdir(), "immunity-registry-"))
const registry = await realRegistry(folder)
const engine =
  registry && (await realEngine(registry && { repository: `${registry.host}/team/images`, login }))
afterAll(async () => {
  await engine?.close()
  await registry?.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!engine)("between two servers that share a registry", async () => {
  if (!engine || !registry) return
  const signal = AbortSignal.timeout(600_000)
  const repository = `${registry.host}/team/images`
  const key = "fedcbafedcba"
  const small = (flaw: string) =>
    engine.build({ Dockerfile: "FROM scratch\nCOPY papi.json /\n", "papi.json": JSON.stringify({ flaw }) })
  const digestOf = async (flaw: string): Promise<Digest> => {
    const built = await small(flaw)
    if (built.kind === "failed") throw new Error(built.because)
    return built.digest
  }
  const digest = await digestOf("none")
  const origins = provenancesIn(engine.images)
  let dir: string
  let other: Awaited<ReturnType<typeof anotherEngine>>
  let containers: Containers
  let here: TravellingArtifacts
  let there: TravellingArtifacts

  beforeAll(async () => {
    other = await anotherEngine()
  })
  afterAll(() => other?.close())

  beforeEach(async () => {
    dir = engine.folder()
    containers = dockerEngine({ socket: other.socket, owner: key })
    await containers.removeImage(digest, signal)
    here = travellingImages({
      dir: join(dir, "leaving"),
      containers: engine.containers,
      provenances: origins,
      artifacts: engine.artifacts,
      registry: engine.registry,
    })
    there = receiver(login)
  })

  const provenances = () => provenancesIn(join(dir, "images"))
  const registryOf = (said: string | undefined, mode = 0o600) => {
    const loginFile = join(dir, "login")
    if (said !== undefined) writeFileSync(loginFile, said)
    if (said !== undefined) chmodSync(loginFile, mode)
    return distributionRegistry({
      containers,
      provenances: provenances(),
      repository,
      loginFile: said === undefined ? undefined : loginFile,
    })
  }
  const receiver = (said: string | undefined, mode?: number): TravellingArtifacts =>
    travellingImages({
      dir: join(dir, "coming"),
      containers,
      provenances: provenances(),
      artifacts: artifactFolder(join(dir, "artifacts")),
      registry: registryOf(said, mode),
    })
  const originOf = async (image = digest): Promise<Provenance> => {
    const known = await origins.of(image)
    if (!known) throw new Error(`nothing is known of ${image}`)
    return known
  }
  /** A lean tar whose origin somebody changed on the way. */
  async function changed(how: (origin: Provenance) => object): Promise<Readable> {
    const changing = mkdtempSync(join(dir, "changed-"))
    await unpackInto(changing, await here.pack(digest, true))
    writeFileSync(join(changing, "origin.json"), JSON.stringify(how(await originOf())))
    return packed(changing)
  }

  it("what is built is pushed, and its origin says under which digest it lies there", async () => {
    const { registry: copy } = await originOf()
    const pushed = await registry.manifest("team/images", digest.replace(":", "-"))
    expect(copy).toEqual({ repository, manifest: pushed.digest })
    expect(JSON.parse(pushed.text).config.digest).toBe(digest)
    expect(engine.said()).toContain(`pushed to ${repository}@${pushed.digest}`)
    expect(engine.said() + JSON.stringify(await originOf())).not.toContain("let-me-push")
  })

  it("another server is sent all but the image, and fetches that by its digest", async () => {
    const sent = mkdtempSync(join(dir, "sent-"))
    await unpackInto(sent, await here.pack(digest, true))
    expect(readdirSync(sent).sort()).toEqual(["origin.json", "tree"])
    await there.unpack(digest, await here.pack(digest, true))
    expect(await there.has(digest)).toBe(true)
    expect(await objectionTo(provenances(), containers)(digest, signal)).toBeUndefined()
  })

  it("a tag that somebody moved changes nothing", async () => {
    const wrong = await digestOf("moved")
    const tag = digest.replace(":", "-")
    const mine = await registry.manifest("team/images", tag)
    const theirs = await registry.manifest("team/images", wrong.replace(":", "-"))
    await registry.move("team/images", tag, theirs.text)
    expect((await registry.manifest("team/images", tag)).digest).toBe(theirs.digest)
    await there.unpack(digest, await here.pack(digest, true))
    expect(await there.has(digest)).toBe(true)
    await registry.move("team/images", tag, mine.text)
  })

  it("a digest of another image is refused, and that image is not kept", async () => {
    const wrong = await digestOf("another")
    const tar = await changed((origin) => ({
      ...origin,
      registry: { repository, manifest: "sha256:".padEnd(71, "1") },
    }))
    await expect(there.unpack(digest, tar)).rejects.toThrow("could not be fetched")
    const { registry: copy } = await originOf(wrong)
    const swapped = await changed((origin) => ({ ...origin, registry: copy }))
    await expect(there.unpack(digest, swapped)).rejects.toThrow(
      `is the image ${wrong}, and not ${digest}; it is not taken`,
    )
    expect(await there.has(digest)).toBe(false)
    expect(await containers.image(wrong, signal)).toBeUndefined()
  })

  it("what somebody changed in the registry's own storage is refused", async () => {
    const altered = await digestOf("altered")
    const { text } = await registry.manifest("team/images", altered.replace(":", "-"))
    const [layer] = JSON.parse(text).layers as readonly [{ readonly digest: string }]
    const sum = layer.digest.slice(7)
    const blob = join(registry.store, "docker/registry/v2/blobs/sha256", sum.slice(0, 2), sum, "data")
    const bytes = readFileSync(blob)
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1
    writeFileSync(blob, bytes)
    await expect(there.unpack(altered, await here.pack(altered, true))).rejects.toThrow(NotFetched)
    expect(await there.has(altered)).toBe(false)
    // It is sent by the server that built it instead.
    await there.unpack(altered, await here.pack(altered))
    expect(await there.has(altered)).toBe(true)
  })

  it("while the registry is down a build is no failure, servers are sent images by each other, and a restart asks nobody", async () => {
    await there.unpack(digest, await here.pack(digest, true))
    await registry.stop()
    try {
      const late = await digestOf("late")
      expect(engine.said()).toMatch(/NOT PUSHED, other servers are sent it by this one: .* did not take/)
      expect((await originOf(late)).registry).toBeUndefined()
      await there.unpack(late, await here.pack(late, true))
      expect(await there.has(late)).toBe(true)
      await containers.removeImage(digest, signal)
      await expect(there.unpack(digest, await here.pack(digest, true))).rejects.toThrow(NotFetched)
      await expect(
        objectionTo(provenances(), containers, registryOf(login))(digest, signal),
      ).resolves.toMatch(/there is no image .* on this server any more, and .* could not be fetched/)
      await there.unpack(digest, await here.pack(digest))
      expect(await objectionTo(provenances(), containers, registryOf(login))(digest, signal)).toBeUndefined()
      await registry.start()
      // Pushed when somebody asks.
      await unpackInto(mkdtempSync(join(dir, "late-")), await here.pack(late, true))
      expect((await originOf(late)).registry).toMatchObject({ repository })
    } finally {
      await registry.start()
    }
  })

  it("an image that somebody removed is fetched again before an instance is started from it", async () => {
    await there.unpack(digest, await here.pack(digest, true))
    await containers.removeImage(digest, signal)
    expect(await objectionTo(provenances(), containers, registryOf(login))(digest, signal)).toBeUndefined()
    expect(await there.has(digest)).toBe(true)
  })

  it.each([
    ["no login", undefined, 0o600, "could not be fetched"],
    ["a wrong one", "ci:wrong", 0o600, "could not be fetched"],
    ["a file that others may read", login, 0o644, "can be read by others; change it (chmod 600)"],
    ["something else in the file", "let-me-push", 0o600, "does not hold a registry's login"],
  ])("with %s nothing is fetched, and why is told without the password", async (_, said, mode, because) => {
    const refused = receiver(said, mode).unpack(digest, await here.pack(digest, true))
    await expect(refused).rejects.toThrow(because)
    await expect(refused).rejects.not.toThrow("let-me-push")
  })

  it("the login goes to the host that it is for, and to no other, whatever an origin says", async () => {
    const asked: (string | undefined)[] = []
    const thief = createServer((request, response) => {
      asked.push(request.headers.authorization)
      response.writeHead(401, { "www-authenticate": 'Basic realm="come in"' }).end()
    })
    await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve))
    const address = thief.address()
    const port = typeof address === "object" ? address?.port : 0
    const tar = await changed(({ registry: copy, ...origin }) => ({
      ...origin,
      registry: { ...copy, repository: `127.0.0.1:${port}/team/images` },
    }))
    await expect(there.unpack(digest, tar)).rejects.toThrow("could not be fetched")
    expect(asked.length).toBeGreaterThan(0)
    const secret = Buffer.from(login).toString("base64")
    expect(asked.filter((header) => header?.includes(secret))).toEqual([])
    thief.close()
  })
})
