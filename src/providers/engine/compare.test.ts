import { describe, expect, it } from "vitest"
import type { ContainerOrder } from "../../ports/containers.ts"
import { Inspected, read } from "./answers.ts"
import { changedFiles, changedSettings } from "./compare.ts"

const order: ContainerOrder = {
  name: "immunity-abcdefabcdef-papi-prod-7-1",
  image: `sha256:${"d".repeat(64)}`,
  command: ["node", "server.js"],
  env: { PORT: "8080", PRICE: "42" },
  port: 8_080,
  memory: 200 * 1024 ** 2,
  cpus: 1.5,
  about: { app: "papi", region: "prod", release: "c".repeat(40), instance: "papi-prod-7-1", epoch: 3 },
}
const ports = { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "34195" }] }
const config = {
  Labels: {},
  Env: ["PATH=/usr/bin", "PORT=8080", "PRICE=42", "HOSTNAME=x"],
  Cmd: ["node", "server.js"],
  Entrypoint: [],
  User: "60600:60600",
}
const host = {
  Memory: order.memory,
  PidsLimit: 256,
  NanoCpus: 1.5e9,
  Privileged: false,
  ReadonlyRootfs: true,
  Binds: [],
  CapAdd: [],
  Devices: [],
  NetworkMode: "bridge",
  PidMode: "private",
  IpcMode: "shareable",
  PortBindings: ports,
}
const found = (its: object = {}, hosts: object = {}, more: object = {}) =>
  read(Inspected, {
    Id: "f".repeat(64),
    Name: "/immunity-abcdefabcdef-papi-prod-7-1",
    Image: order.image,
    Config: { ...config, ...its },
    State: { Status: "running", Pid: 7, ExitCode: 0, StartedAt: "2026-11-21T10:59:50Z" },
    HostConfig: { ...host, ...hosts },
    Mounts: [{ Type: "tmpfs", Destination: "/tmp" }],
    NetworkSettings: { Ports: ports },
    ...more,
  })
const told = (inspected: Inspected, handed?: string) =>
  changedSettings(inspected, order, "127.0.0.1", handed).map(({ path, what }) => `${path} ${what}`)

it("a container that is what was ordered has no differences, also by an engine that counts time in periods", () => {
  expect(told(found())).toEqual([])
  expect(told(found({}, { NanoCpus: 0, CpuQuota: 150_000, CpuPeriod: 100_000 }))).toEqual([])
})

it.each([
  ["its image changed", found({}, {}, { Image: "e".repeat(64) })],
  ["its command changed", found({ Cmd: ["node", "other.js"] })],
  ["its command changed", found({ Entrypoint: ["sh"] })],
  ["its user changed", found({ User: "0" })],
  ["environment PRICE changed", found({ Env: ["PORT=8080", "PRICE=43"] })],
  ["its memory limit changed", found({}, { Memory: 0 })],
  ["its limit of processes changed", found({}, { PidsLimit: -1 })],
  ["its limit of processor time changed", found({}, { NanoCpus: 0 })],
  ["its root changed", found({}, { ReadonlyRootfs: false })],
  ["its privileges changed", found({}, { CapAdd: ["SYS_ADMIN"] })],
  ["its privileges changed", found({}, { Privileged: true })],
  ["devices added", found({}, { Devices: [{}] })],
  ["its namespaces changed", found({}, { PidMode: "host" })],
  ["mount /:/host added", found({}, { Binds: ["/:/host"] })],
  ["mount /data added", found({}, {}, { Mounts: [{ Type: "volume", Destination: "/data" }] })],
  [
    "port 0.0.0.0 9229/tcp added",
    found({}, { PortBindings: { ...ports, "9229/tcp": [{ HostIp: "0.0.0.0", HostPort: "9229" }] } }),
  ],
])("%s: whoever changed it, it is told by its name", (difference, inspected) => {
  expect(told(inspected)).toEqual([difference])
})

describe("the folder with its configuration", () => {
  const own = "/agent/handed/immunity-abcdefabcdef-papi-prod-7-1"
  const shown = (Source: string, Destination = "/run/immunity", RW = false) =>
    found(
      {},
      { Binds: [`${Source}:${Destination}:ro,rprivate,rbind`] },
      { Mounts: [{ Type: "bind", Source, Destination, RW }] },
    )

  it("is no difference where it was ordered", () => expect(told(shown(own), own)).toEqual([]))

  it("is one where it was not", () => {
    expect(told(shown(own))).toContain("mount /run/immunity added")
  })

  it("is told when it is not there", () => {
    expect(told(found(), own)).toEqual(["mount /run/immunity removed"])
  })

  it.each([
    ["another's", shown(`${own}-2`)],
    ["shown elsewhere", shown(own, "/etc")],
    ["one that it may write to", shown(own, "/run/immunity", true)],
  ])("is told when it is %s", (_, inspected) => {
    expect(told(inspected, own)).toContain("mount /run/immunity removed")
    expect(told(inspected, own)).toContainEqual(expect.stringMatching(/^mount \S+ added$/))
  })
})

it("of files, what engines mount into every container does not count, and a folder gives way to what is in it", () => {
  const changed = (Path: string, Kind: number) => ({ Path, Kind })
  expect(
    changedFiles([
      changed("/etc", 0),
      changed("/etc/hosts", 1),
      changed("/var", 1),
      changed("/var/tmp", 1),
      changed("/run/.containerenv", 1),
      changed("/app", 0),
      changed("/app/papi.json", 0),
      changed("/app/debug.js", 1),
      changed("/etc/passwd", 2),
    ]).map(({ path, what }) => `${path} ${what}`),
  ).toEqual(["/app/papi.json changed", "/app/debug.js added", "/etc/passwd removed"])
})
