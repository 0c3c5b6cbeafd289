import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest"
import { computeOn, type RealEngine, realEngine } from "../../../test/support/engine.ts"
import type { Digest } from "../../core/model/ids.ts"
import type { Compute } from "../../ports/compute.ts"
import type { Containers } from "../../ports/containers.ts"
import { computeContract } from "../../testing/compute-contract.ts"
import { specOf } from "../../testing/compute-world.ts"
import { until } from "../../testing/router-world.ts"

const engine = await realEngine()
afterAll(() => engine?.close())

describe.skipIf(!engine)("with a real engine", () => {
  if (!engine) return
  computeContract("containers", async () => {
    const dir = engine.folder()
    const open = () => computeOn(engine, dir)
    return {
      compute: open(),
      digest: engine.digest,
      reopen: open,
      kill: async (id) => {
        const { State: state } = await inspect(engine, id)
        process.kill(state.Pid, "SIGKILL")
      },
      edit: async (id, file, text) => {
        const { GraphDriver: driver } = await inspect(engine, id)
        writeFileSync(join(driver.Data.MergedDir, "app", file), text)
      },
      log: (id) => readFileSync(join(dir, "logs", `${id}.log`), "utf8"),
      close: async () => undefined,
    }
  })
})

describe.skipIf(!engine)("on a real engine", () => {
  if (!engine) return
  const signal = AbortSignal.timeout(600_000)
  const by = { app: "papi", epoch: 3, generation: 1 }
  const { containers, key } = engine
  let dir: string
  let compute: Compute

  beforeEach(() => {
    dir = engine.folder()
    compute = computeOn(engine, dir)
  })
  afterEach(async () => {
    engine.clear()
  })

  const spec = (id: string, image: Digest = engine.digest) =>
    specOf(id, image, { memory: 200 * 1024 ** 2, cpus: 0.5 })
  const start = (id: string, image?: Digest) => compute.start(spec(id, image), by, signal)
  const only = async (id: string) => {
    const found = (await compute.list(signal)).find((one) => one.id === id)
    if (!found) throw new Error(`${id} is not there`)
    return found
  }
  const differenceOf = (id: string) =>
    until(`a difference of ${id}`, async () => {
      const { differences } = await only(id)
      return differences.length > 0 ? differences.map(({ path, what }) => `${path} ${what}`) : undefined
    })
  const serves = (id: string) =>
    until(`${id} to serve`, async () => {
      const { address } = await only(id)
      return fetch(`http://${address}/`).then(
        (answer) => answer.ok,
        () => false,
      )
    })

  it("an instance has no capability and no way to one, its limits hold, and it is seen on loopback alone", async () => {
    await start("papi-prod-1")
    await serves("papi-prod-1")
    const name = `immunity-${key}-papi-prod-1`
    const status = engine.command(
      "exec",
      name,
      "node",
      "-p",
      "require('fs').readFileSync('/proc/1/status','utf8')",
    )
    expect(status).toMatch(/^CapEff:\s+0{16}$/m)
    expect(status).toMatch(/^CapBnd:\s+0{16}$/m)
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(status).toMatch(/^Uid:\s+60600\s+60600/m)
    const all = Object.entries(networkInterfaces()).flatMap(([, addresses]) => addresses ?? [])
    const outside = all.find(
      ({ internal, family, address }) => !internal && family === "IPv4" && !address.startsWith("10."),
    )
    const port = (await only("papi-prod-1")).address?.split(":")[1]
    if (outside) await expect(fetch(`http://${outside.address}:${port}/`)).rejects.toThrow()
    const { Config: config } = (await engine.ask("GET", `/containers/${name}/json`)) as {
      readonly Config: { readonly Labels: Readonly<Record<string, string>> }
    }
    expect(config.Labels).toMatchObject({
      "immunity.app": "papi",
      "immunity.region": "prod",
      "immunity.release": "c".repeat(40),
      "immunity.digest": engine.digest,
      "immunity.epoch": "3",
      "org.opencontainers.image.revision": "a".repeat(40),
      "org.opencontainers.image.version": "a".repeat(7),
      "org.opencontainers.image.source": "https://git.example.com/shop/papi",
      "org.opencontainers.image.created": "2026-11-21T09:30:00.000Z",
    })
  })

  it("a container that is not ours is never touched: not seen, not stopped, not removed, not read", async () => {
    const foreign = `immunity-${key}-papi-prod-5`
    // Its name is one of ours, and it copied every label but the mark.
    const about = ["--label", "immunity.app=papi", "--label", "immunity.agent=somebody"]
    const forever = ["node", "-e", "setInterval(() => {}, 1000)"]
    engine.command("run", "--detach", "--name", foreign, ...about, engine.base.slice(7), ...forever)
    engine.command("run", "--detach", "--name", "postgres", engine.base.slice(7), ...forever)
    expect(await compute.list(signal)).toEqual([])
    for (const id of [foreign, "postgres"]) {
      const refusals = [
        () => containers.stop(id, 0, signal),
        () => containers.remove(id, signal),
        () => containers.start(id, signal),
        () => containers.find(id, signal),
        () => containers.output(id, () => undefined, signal),
      ]
      for (const refused of refusals) await expect(refused()).rejects.toThrow("it is left alone")
    }
    await expect(start("papi-prod-5")).rejects.toThrow("is not a container of this agent; it is left alone")
    await expect(compute.stop("papi-prod-5", 0, signal)).rejects.toThrow("it is left alone")
    await expect(compute.forget("papi-prod-5")).rejects.toThrow("it is left alone")
    const running = engine.command("ps", "--format", "{{.Names}}").trim().split("\n").sort()
    expect(running).toEqual([foreign, "postgres"])
  })

  it("a tag that was moved changes nothing: an instance is what its digest says", async () => {
    engine.command("tag", engine.digest.slice(7), "localhost/papi:live")
    await start("papi-prod-1")
    engine.command("tag", engine.base.slice(7), "localhost/papi:live")
    await start("papi-prod-2")
    const images = (await containers.list(signal)).map(({ image }) => image)
    expect(images).toEqual([engine.digest, engine.digest])
  })

  it("an image that was given another one's digest for a name is not taken for it", async () => {
    const digest: Digest = `sha256:${"1".repeat(64)}`
    engine.command("tag", engine.base.slice(7), `localhost/${digest}`)
    const order = {
      name: `immunity-${key}-papi-prod-1`,
      image: digest,
      command: ["node"],
      env: {},
      port: 8_080,
    }
    const about = { app: "papi", region: "prod", release: "c".repeat(40), instance: "papi-prod-1", epoch: 1 }
    await expect(
      containers.create({ ...order, memory: 64 * 1024 ** 2, cpus: 1, about }, signal),
    ).rejects.toThrow(/there is no image|it is not used|was not started/)
    expect(await containers.list(signal)).toEqual([])
    engine.command("rmi", `localhost/${digest}`)
  })

  it("an image that nobody built here from a commit is not run, though the engine has it", async () => {
    await expect(start("papi-prod-1", engine.base)).rejects.toThrow(
      `the image ${engine.base} was not built on this server from a commit, nor brought here with its origin; it is not run`,
    )
  })

  it("an image that was removed is told, with what to do", async () => {
    const built = await engine.build({ "papi.json": '{"flaw":"gone"}' })
    if (built.kind === "failed") throw new Error(built.because)
    await containers.removeImage(built.digest, signal)
    await expect(start("papi-prod-1", built.digest)).rejects.toThrow(
      `there is no image ${built.digest} on this server any more; build its commit again`,
    )
  })

  it("one commit is one image, whenever it is built; its origin is on record", async () => {
    const again = await engine.build()
    expect(again).toMatchObject({ kind: "built", digest: engine.digest })
    const record = JSON.parse(readFileSync(join(engine.images, `${engine.digest.slice(7)}.json`), "utf8"))
    expect(record).toMatchObject({
      image: engine.digest,
      commit: "a".repeat(40),
      job: "papi-build-1",
      network: "none",
      bases: [{ name: engine.base.slice(7), digest: engine.base }],
    })
    expect(await engine.build({}, "b".repeat(40))).not.toMatchObject({ digest: engine.digest })
  })

  it.each([
    [
      "declares a volume",
      { Dockerfile: "FROM scratch\nCOPY papi.json /\nVOLUME /data\n" },
      "declares VOLUME /data",
    ],
    ["does not build", { Dockerfile: "FROM scratch\nCOPY nothing.js /\n" }, "nothing.js"],
    ["is no Dockerfile", { Dockerfile: "PLEASE run it\n" }, ""],
  ])("what %s is refused with its reason", async (_, files, because) => {
    const built = await engine.build(files)
    expect(built).toMatchObject({ kind: "failed", because: expect.stringContaining(because) })
  })

  it("who enters a running container from outside is found as a process that it did not start", async () => {
    await start("papi-prod-1")
    await serves("papi-prod-1")
    expect((await only("papi-prod-1")).differences).toEqual([])
    engine.command(
      "exec",
      "--detach",
      `immunity-${key}-papi-prod-1`,
      "node",
      "-e",
      "setTimeout(() => {}, 60000)",
    )
    expect(await differenceOf("papi-prod-1")).toEqual([expect.stringMatching(/^process \S+ added$/)])
  })

  it("a file that is added, or removed, past the read-only root is named", async () => {
    await start("papi-prod-1")
    const { GraphDriver: driver } = await inspect(engine, "papi-prod-1")
    writeFileSync(join(driver.Data.MergedDir, "app", "debug.js"), "")
    rmSync(join(driver.Data.MergedDir, "etc", "passwd"))
    expect([...(await differenceOf("papi-prod-1"))].sort()).toEqual([
      "/app/debug.js added",
      "/etc/passwd removed",
    ])
  })

  it("a container that bears our mark and that we never ordered is a finding", async () => {
    await start("papi-prod-1")
    rmSync(join(dir, "containers", "papi-prod-1.json"))
    expect(await differenceOf("papi-prod-1")).toEqual(["its order: this agent has none on record removed"])
  })

  it("while the engine does not answer, instances are known as they were, and a dead one is not called running", async () => {
    await start("papi-prod-1")
    await start("papi-prod-2")
    await serves("papi-prod-1")
    await serves("papi-prod-2")
    const { State: state } = await inspect(engine, "papi-prod-2")
    let silent = false
    const list = async (until: AbortSignal) => {
      if (silent) throw new Error("the engine does not answer")
      return containers.list(until)
    }
    compute = computeOn({ ...engine, containers: withList(containers, list) }, dir)
    expect(await compute.list(signal)).toHaveLength(2)
    silent = true
    process.kill(state.Pid, "SIGKILL")
    await until("the dead one to be told", async () => (await only("papi-prod-2")).state === "ended")
    expect(await only("papi-prod-1")).toMatchObject({ state: "running" })
  })

  // Last: the base that others build on goes with it.
  it("pruning takes no image of ours, run or not; pruning all takes none that a kept instance runs", async () => {
    engine.command("image", "prune", "--force")
    expect(await containers.image(engine.digest, signal)).toBeDefined()
    await start("papi-prod-1")
    engine.command("image", "prune", "--all", "--force")
    expect(await containers.image(engine.digest, signal)).toBeDefined()
  })
})

/** The same engine, with another answer to `list`. */
const withList = (containers: Containers, list: Containers["list"]): Containers =>
  new Proxy(containers, {
    get: (target, name) => {
      if (name === "list") return list
      const value: unknown = Reflect.get(target, name)
      return typeof value === "function" ? value.bind(target) : value
    },
  })

const inspect = async (real: RealEngine, id: string) =>
  (await real.ask("GET", `/containers/immunity-${real.key}-${id}/json`)) as {
    readonly State: { readonly Pid: number }
    readonly GraphDriver: { readonly Data: { readonly MergedDir: string } }
  }
