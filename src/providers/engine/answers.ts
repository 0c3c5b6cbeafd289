import { type Static, type TSchema, Type } from "typebox"
import { Value } from "typebox/value"
import type { Digest } from "../../core/model/ids.ts"
import type { Container } from "../../ports/containers.ts"

const maybe = <T extends TSchema>(type: T) => Type.Optional(Type.Union([type, Type.Null()]))
const Labels = maybe(Type.Record(Type.String(), Type.String()))
const Words = maybe(Type.Array(Type.String()))
const Ports = maybe(
  Type.Record(
    Type.String(),
    Type.Union([Type.Null(), Type.Array(Type.Object({ HostIp: Type.String(), HostPort: Type.String() }))]),
  ),
)

export const Listed = Type.Array(Type.Object({ Id: Type.String(), State: Type.String() }))
export const Created = Type.Object({ Id: Type.String() })
export const Version = Type.Object({ Version: Type.String(), ApiVersion: maybe(Type.String()) })
export const Changes = Type.Union([
  Type.Null(),
  Type.Array(Type.Object({ Path: Type.String(), Kind: Type.Integer() })),
])
/** Only what is read of it; engines say much more. */
export const Inspected = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  Image: Type.String(),
  Config: Type.Object({ Labels, Env: Words, Cmd: Words, Entrypoint: Words, User: maybe(Type.String()) }),
  State: Type.Object({
    Status: Type.String(),
    Pid: Type.Integer(),
    ExitCode: Type.Integer(),
    OOMKilled: maybe(Type.Boolean()),
    StartedAt: Type.String(),
  }),
  HostConfig: Type.Object({
    Memory: maybe(Type.Integer()),
    PidsLimit: maybe(Type.Integer()),
    NanoCpus: maybe(Type.Integer()),
    CpuQuota: maybe(Type.Integer()),
    CpuPeriod: maybe(Type.Integer()),
    Privileged: maybe(Type.Boolean()),
    ReadonlyRootfs: maybe(Type.Boolean()),
    Binds: Words,
    CapAdd: Words,
    Devices: maybe(Type.Array(Type.Unknown())),
    NetworkMode: maybe(Type.String()),
    PidMode: maybe(Type.String()),
    IpcMode: maybe(Type.String()),
    PortBindings: Ports,
  }),
  Mounts: maybe(
    Type.Array(
      Type.Object({
        Type: maybe(Type.String()),
        Source: maybe(Type.String()),
        Destination: Type.String(),
        RW: maybe(Type.Boolean()),
      }),
    ),
  ),
  NetworkSettings: Type.Object({ Ports }),
})
export type Inspected = Static<typeof Inspected>
export const InspectedImage = Type.Object({
  Id: Type.String(),
  Size: Type.Integer(),
  Config: Type.Object({
    Labels,
    Volumes: maybe(Type.Record(Type.String(), Type.Unknown())),
    Env: Words,
  }),
})
export const BuildLine = Type.Object({
  stream: maybe(Type.String()),
  status: maybe(Type.String()),
  error: maybe(Type.String()),
  aux: maybe(Type.Object({ ID: maybe(Type.String()) })),
})

/** Takes an engine's answer for what it should be, or says what is wrong with it. */
export function read<S extends TSchema>(schema: S, answer: unknown): Static<S> {
  if (Value.Check(schema, answer)) return answer as Static<S>
  const [first] = Value.Errors(schema, answer)
  throw new Error(`the engine's answer is not as expected: ${first?.instancePath || "/"} ${first?.message}`)
}

/** Some engines leave the algorithm out. */
export const digestOf = (id: string): Digest => (id.startsWith("sha256:") ? id : `sha256:${id}`) as Digest

/** `host`: where its port is published. */
export function containerOf(found: Inspected, host: string): Container {
  const [binding] = Object.values(found.NetworkSettings.Ports ?? {}).flatMap((ports) => ports ?? [])
  const { State: state } = found
  const running = ["running", "paused", "stopping", "restarting"].includes(state.Status)
  const created = ["created", "configured", "initialized"].includes(state.Status)
  return {
    id: found.Id,
    name: found.Name.replace(/^\//, ""),
    image: digestOf(found.Image),
    state: running ? "running" : created ? "created" : "ended",
    startedAt: Math.max(0, Date.parse(state.StartedAt) || 0),
    pid: running && state.Pid > 0 ? state.Pid : undefined,
    address: binding ? `${host.includes(":") ? `[${host}]` : host}:${binding.HostPort}` : undefined,
    exitCode: running || created ? undefined : state.ExitCode,
    outOfMemory: state.OOMKilled === true,
    memoryLimit: found.HostConfig.Memory || undefined,
  }
}
