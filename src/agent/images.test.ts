import { execFileSync } from "node:child_process"
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Readable } from "node:stream"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { anotherEngine, realEngine } from "../../test/support/engine.ts"
import type { TravellingArtifacts } from "../ports/artifacts.ts"
import type { Containers } from "../ports/containers.ts"
import { objectionTo, provenancesIn, treesOfImages } from "../providers/builder/index.ts"
import { systemClock } from "../providers/clock/system.ts"
import { dockerCompute } from "../providers/compute/index.ts"
import { dockerEngine } from "../providers/engine/index.ts"
import { until } from "../testing/router-world.ts"
import { artifactFolder, discard } from "./artifacts.ts"
import { travellingImages } from "./images.ts"
import { packed, unpackInto } from "./tar.ts"

const engine = await realEngine()
afterAll(() => engine?.close())

describe.skipIf(!engine)("between two servers with an engine each, and no registry", async () => {
  if (!engine) return
  const signal = AbortSignal.timeout(600_000)
  // Small: what is refused needs no Node in it.
  const built = await engine.build({ Dockerfile: "FROM scratch\nCOPY papi.json /\n" })
  if (built.kind === "failed") throw new Error(built.because)
  const { digest } = built
  const key = "fedcbafedcba"
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
      provenances: provenancesIn(engine.images),
      artifacts: engine.artifacts,
    })
    there = travellingImages({ dir: join(dir, "coming"), containers, ...kept() })
  })

  /** What the other server keeps of images. */
  const kept = () => ({
    provenances: provenancesIn(join(dir, "images")),
    artifacts: artifactFolder(join(dir, "artifacts")),
  })

  /** What travels, after somebody has changed it on the way. */
  async function changed(how: (folder: string) => void): Promise<Readable> {
    const folder = join(dir, "changed")
    mkdirSync(folder)
    await unpackInto(folder, await here.pack(digest))
    how(folder)
    return packed(folder)
  }

  it("an image comes with its tree and its origin, under its own digest, and runs", async () => {
    expect(await there.has(engine.digest)).toBe(false)
    await there.unpack(engine.digest, await here.pack(engine.digest))
    expect(await there.has(engine.digest)).toBe(true)
    await treesOfImages(kept().provenances, kept().artifacts).copy(engine.digest, join(dir, "tree"))
    expect(readdirSync(join(dir, "tree"))).toContain("server.js")
    await discard(join(dir, "tree"))
    const objection = objectionTo(kept().provenances, containers)
    const compute = dockerCompute({
      dir,
      handed: join(dir, "handed"),
      containers,
      key,
      clock: systemClock,
      objection,
    })
    const health = { path: "/", every: 100, timeout: 1_000, healthy: 1, unhealthy: 3 }
    const run = { start: "node server.js", health, drain: 1_000, env: {}, keep: 1 }
    const spec = {
      id: "papi-prod-1",
      server: "b",
      region: "prod",
      release: "c".repeat(40),
      digest: engine.digest,
      run,
    }
    await compute.start(spec, { app: "papi", epoch: 1, generation: 1 }, signal)
    await until("it to answer on the other server", async () => {
      const [one] = await compute.list(signal)
      return (
        one?.address &&
        (await fetch(`http://${one.address}/`).then(
          (answer) => answer.ok,
          () => false,
        ))
      )
    })
    await compute.stop(spec.id, 1_000, signal)
    await compute.forget(spec.id)
    expect([join(dir, "leaving"), join(dir, "coming")].flatMap((folder) => readdirSync(folder))).toEqual([])
  })

  it("an image that somebody removed there is missing, and comes again", async () => {
    await there.unpack(digest, await here.pack(digest))
    await containers.removeImage(digest, signal)
    expect(await there.has(digest)).toBe(false)
    expect(await objectionTo(kept().provenances, containers)(digest, signal)).toContain(
      "any more; build its commit again",
    )
    await there.unpack(digest, await here.pack(digest))
    expect(await there.has(digest)).toBe(true)
  })

  it("an image that is kept no longer goes with its tree and its origin, by our own name alone", async () => {
    await there.unpack(digest, await here.pack(digest))
    const { provenances, artifacts } = kept()
    const tree = (await provenances.of(digest))?.tree
    if (!tree) throw new Error("no origin came")
    const soon = Date.now() + 60_000
    expect(await there.remove(digest, Date.now() - 60_000)).toBeUndefined()
    expect(await there.has(digest)).toBe(true)
    expect(await there.remove(digest, soon)).toBeGreaterThan(0)
    expect([await there.has(digest), await artifacts.has(tree)]).toEqual([false, false])
    expect(await containers.image(digest, signal)).toBeUndefined()
    expect(await there.remove(digest, soon)).toBe(0)

    // Somebody else on the same engine has it too.
    await there.unpack(digest, await here.pack(digest))
    const others = dockerEngine({ socket: other.socket, owner: "aaaaaaaaaaaa" })
    await others.load(digest, await engine.containers.save(digest, signal), signal)
    const bytes = (await artifacts.manifest(tree)).reduce(
      (sum, one) => sum + (one.kind === "file" ? one.size : 0),
      0,
    )
    expect(await there.remove(digest, soon)).toBe(bytes)
    expect(await there.has(digest)).toBe(false)
    expect(await others.image(digest, signal)).toBeDefined()
    await others.removeImage(digest, signal)
    expect(await others.image(digest, signal)).toBeUndefined()
  })

  it("an image that a container uses stays, and so does its origin", async () => {
    await there.unpack(engine.digest, await here.pack(engine.digest))
    const about = { app: "papi", region: "prod", release: "a".repeat(40), instance: "papi-prod-9", epoch: 1 }
    const command = ["node", "server.js"]
    const order = { command, env: {}, port: 8080, memory: 64 * 1024 ** 2, cpus: 1, about }
    const name = `immunity-${key}-papi-prod-9`
    const id = await containers.create({ ...order, name, image: engine.digest }, signal)
    expect(await there.remove(engine.digest, Date.now() + 60_000)).toBeUndefined()
    expect(await there.has(engine.digest)).toBe(true)
    await containers.remove(id, signal)
    expect(await there.remove(engine.digest, Date.now() + 60_000)).toBeGreaterThan(0)
    expect(await there.has(engine.digest)).toBe(false)
  })

  /** What the engine's tar calls its configuration and its first layer, unpacked. */
  const opened = (folder: string): { readonly configuration: string; readonly layer: string } => {
    const inside = join(folder, "inside")
    mkdirSync(inside)
    execFileSync("tar", ["-x", "-f", join(folder, "image.tar"), "-C", inside])
    const [image] = JSON.parse(readFileSync(join(inside, "manifest.json"), "utf8"))
    return { configuration: join(inside, image.Config), layer: join(inside, image.Layers[0]) }
  }
  const closeAgain = (folder: string): void => {
    const inside = join(folder, "inside")
    execFileSync("tar", ["-c", "-f", join(folder, "image.tar"), "-C", inside, ...readdirSync(inside)])
    rmSync(inside, { recursive: true })
  }

  it.each<readonly [string, (folder: string) => void, string]>([
    [
      "a layer with one byte more",
      (folder) => {
        appendFileSync(opened(folder).layer, "x")
        closeAgain(folder)
      },
      "what came is sha256:",
    ],
    [
      "another configuration",
      (folder) => {
        appendFileSync(opened(folder).configuration, " ")
        closeAgain(folder)
      },
      `and not ${digest}`,
    ],
    ["no origin", (folder) => rmSync(join(folder, "origin.json")), "nothing came that says where"],
    [
      "the origin of another commit",
      (folder) => {
        const file = join(folder, "origin.json")
        const origin = JSON.parse(execFileSync("cat", [file], { encoding: "utf8" }))
        writeFileSync(file, JSON.stringify({ ...origin, commit: "b".repeat(40) }))
      },
      `its origin says ${"b".repeat(40)}`,
    ],
    [
      "an origin that says more than it may",
      (folder) => {
        const file = join(folder, "origin.json")
        const origin = JSON.parse(execFileSync("cat", [file], { encoding: "utf8" }))
        writeFileSync(file, JSON.stringify({ ...origin, trusted: true }))
      },
      "not told as it should be",
    ],
    [
      "another tree",
      (folder) => {
        execFileSync("chmod", ["-R", "u+w", join(folder, "tree")])
        cpSync(join(folder, "tree", "server.js"), join(folder, "tree", "more.js"))
      },
      "the tree of",
    ],
  ])("%s is refused, and nothing of it is kept", async (_, how, because) => {
    await expect(there.unpack(digest, await changed(how))).rejects.toThrow(because)
    expect(await there.has(digest)).toBe(false)
    expect(await containers.image(digest, signal)).toBeUndefined()
    expect(readdirSync(join(dir, "coming"))).toEqual([])
  })

  it("what breaks off on the way is not taken, and comes whole the next time", async () => {
    const tar = await here.pack(digest)
    const broken = async function* () {
      for await (const chunk of tar as AsyncIterable<Buffer>) {
        yield chunk.subarray(0, 1_000)
        throw new Error("the line is dead")
      }
    }
    await expect(there.unpack(digest, Readable.from(broken()))).rejects.toThrow()
    expect(await there.has(digest)).toBe(false)
    await there.unpack(digest, await here.pack(digest))
    expect(await there.has(digest)).toBe(true)
  })

  it("an image that is not there cannot be sent, and says so", async () => {
    await expect(here.pack(`sha256:${"1".repeat(64)}`)).rejects.toThrow("there is no image")
    await expect(there.pack(digest)).rejects.toThrow("there is no image")
  })
})
