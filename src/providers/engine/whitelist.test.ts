import { expect, it } from "vitest"
import type { ContainerOrder } from "../../ports/containers.ts"
import { bodyOf, refusalOf } from "./whitelist.ts"

const MiB = 1024 ** 2
const good: ContainerOrder = {
  name: "immunity-abcdefabcdef-papi-prod-7-1",
  image: `sha256:${"d".repeat(64)}`,
  command: ["node", "server.js"],
  env: { PORT: "8080" },
  port: 8_080,
  memory: 200 * MiB,
  cpus: 1,
  about: { app: "papi", region: "prod", release: "c".repeat(40), instance: "papi-prod-7-1", epoch: 3 },
}
const and = (more: object) => ({ ...good, ...more })
const about = (more: object) => ({ ...good, about: { ...good.about, ...more } })

const hostile: readonly (readonly [string, unknown])[] = [
  ["privileges", and({ privileged: true })],
  ["a host configuration", and({ HostConfig: { Binds: ["/:/host"] } })],
  ["a bind", and({ binds: ["/var/run/docker.sock:/s"] })],
  ["mounts", and({ mounts: [{ type: "bind", source: "/", target: "/host" }] })],
  ["a configuration from a folder of its choice", and({ configuration: "/etc" })],
  ["a configuration shown where it likes", and({ configuration: { source: "/", target: "/host" } })],
  ["a configuration with a path behind its digest", and({ configuration: `sha256:${"d".repeat(64)}/../x` })],
  ["a folder for its configuration", and({ configuration: `sha256:${"d".repeat(64)}`, handed: "/etc" })],
  ["a network", and({ network: "host" })],
  ["a capability", and({ capAdd: ["ALL"] })],
  ["a device", and({ devices: ["/dev/kvm"] })],
  ["a user", and({ user: "0" })],
  ["a foreign container's name", and({ name: "postgres" })],
  ["a name without the agent's key", and({ name: "immunity-papi-1" })],
  ["a name that is a path", and({ name: "immunity-abcdefabcdef-../x" })],
  ["a name with a query", and({ name: "immunity-abcdefabcdef-x?all=1" })],
  ["a name of capitals", and({ name: "immunity-abcdefabcdef-PAPI" })],
  ["a tag", and({ image: "papi:latest" })],
  ["a name with a digest", and({ image: `papi@sha256:${"d".repeat(64)}` })],
  ["a short id", and({ image: "dddddddddddd" })],
  ["no image", and({ image: undefined })],
  ["no command", and({ command: [] })],
  ["a command that is no list", and({ command: "node server.js" })],
  ["a word with an end in it", and({ command: ["node\u0000"] })],
  ["a hundred words too many", and({ command: Array(200).fill("x") })],
  ["a library before the program", and({ env: { LD_LIBRARY_PATH: "/tmp" } })],
  ["a variable with a space", and({ env: { "A B": "1" } })],
  ["a port of the system", and({ port: 22 })],
  ["no port", and({ port: 0 })],
  ["a port past the last", and({ port: 65_536 })],
  ["memory without a limit", and({ memory: 0 })],
  ["memory below what starts", and({ memory: MiB })],
  ["memory beyond any machine", and({ memory: 2 ** 53 })],
  ["no limit of processor time", and({ cpus: 0 })],
  ["endless processor time", and({ cpus: Number.POSITIVE_INFINITY })],
  ["not a number", and({ cpus: Number.NaN })],
  ["a spoofed mark", about({ agent: "abcdefabcdef" })],
  ["a label with a line in it", about({ app: "papi\nimmunity.agent=x" })],
  ["an epoch before the first", about({ epoch: -1 })],
  ["nothing", undefined],
  ["a list", []],
]

it("an order inside the list is not refused", () => expect(refusalOf(good)).toBeUndefined())

it("a release with a configuration of its own is named by its commit and the version", () => {
  expect(refusalOf(about({ release: `${"c".repeat(40)}.c12` }))).toBeUndefined()
  expect(refusalOf(about({ release: `${"c".repeat(40)}.c0` }))).toContain("/about/release")
})

it("one that has a configuration is shown the folder that it is given, read-only; one that has none, no folder", () => {
  const configured = { ...good, configuration: `sha256:${"e".repeat(64)}` as const }
  expect(refusalOf(configured)).toBeUndefined()
  expect(refusalOf({ ...good, configuration: undefined })).toBeUndefined()
  const binds = { Binds: [`/agent/handed/${good.name}:/run/immunity:ro,Z`] }
  expect(bodyOf(configured, "127.0.0.1", {}, `/agent/handed/${good.name}`)).toMatchObject({
    HostConfig: binds,
  })
  expect(bodyOf(good, "127.0.0.1", {})).not.toHaveProperty("HostConfig.Binds")
  expect(bodyOf(good, "127.0.0.1", {})).not.toHaveProperty("HostConfig.Mounts")
})

it.each(hostile)("%s is outside of the list", (_, order) => {
  expect(refusalOf(order)).toMatch(/^the container order is outside of the list: /)
})

it("what the engine is told is decided here: nothing writable but a scratch in memory, no way up, limits on all", () => {
  expect(bodyOf(good, "127.0.0.1", { "immunity.agent": "abcdefabcdef" })).toMatchObject({
    Image: good.image,
    User: "60600:60600",
    Labels: { "immunity.agent": "abcdefabcdef", "immunity.app": "papi", "immunity.digest": good.image },
    HostConfig: {
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      PidsLimit: 256,
      Memory: good.memory,
      MemorySwap: good.memory,
      NanoCpus: 1e9,
      PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      RestartPolicy: { Name: "no" },
    },
  })
})
