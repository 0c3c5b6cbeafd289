import { Type } from "typebox"
import { Value } from "typebox/value"
import { type ContainerOrder, handedAt } from "../../ports/containers.ts"

const MiB = 1024 ** 2
const plain = (maxLength: number) => Type.String({ maxLength, pattern: "^[^\\u0000]*$" })
const name = (maxLength: number) => Type.String({ maxLength, pattern: "^[a-z0-9][a-z0-9_.-]*$" })

/** The whole list. Whatever an order says beyond it is refused, not left out in silence. */
const Order = Type.Object(
  {
    name: Type.String({ pattern: "^immunity-[0-9a-f]{12}-[a-z0-9][a-z0-9-]{0,150}$" }),
    image: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
    command: Type.Array(plain(20_000), { minItems: 1, maxItems: 100 }),
    // What the loader obeys before the program does is not for an order to say.
    env: Type.Record(Type.String({ pattern: "^(?!LD_)[A-Za-z_][A-Za-z0-9_]{0,200}$" }), plain(20_000), {
      additionalProperties: false,
    }),
    port: Type.Integer({ minimum: 1_024, maximum: 65_535 }),
    memory: Type.Integer({ minimum: 16 * MiB, maximum: 1_024 * 1_024 * MiB }),
    cpus: Type.Number({ minimum: 0.01, maximum: 1_024 }),
    // That there is one; where it lies and where it is shown is not for an order to say.
    configuration: Type.Optional(Type.String({ pattern: "^sha256:[0-9a-f]{64}$" })),
    about: Type.Object(
      {
        app: name(40),
        region: name(60),
        // A commit, and the version of its configuration where it has one.
        release: Type.String({ pattern: "^[0-9a-f]{7,64}(\\.c[1-9][0-9]{0,8})?$" }),
        instance: name(151),
        epoch: Type.Integer({ minimum: 0 }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)

/** Why an order is refused, naming the first thing that is not on the list; undefined when all of it is. */
export function refusalOf(order: unknown): string | undefined {
  if (Value.Check(Order, order)) return undefined
  const [first] = Value.Errors(Order, order)
  return `the container order is outside of the list: ${first ? `${first.instancePath || "/"} ${first.message}` : "malformed"}`
}

/** The one folder that an instance may write: in memory, gone with it, nothing in it can be run. */
const scratch = "rw,noexec,nosuid,nodev,size=67108864,mode=1777"
/** Engines mount these over a read-only root by themselves, larger and open to everybody; nobody needs them. */
const closed = "rw,noexec,nosuid,nodev,size=65536,mode=755"
/** Exists on no host; each container has its own processes and files besides. */
export const user = "60600:60600"
export const pidsLimit = 256

/** The engine's own words for an order that was checked. Everything in it is decided here; `handed`: its folder. */
export const bodyOf = (
  order: ContainerOrder,
  host: string,
  mark: Readonly<Record<string, string>>,
  handed?: string | undefined,
): unknown => ({
  Image: order.image,
  Entrypoint: [],
  Cmd: order.command,
  Env: Object.entries(order.env).map(([name, value]) => `${name}=${value}`),
  User: user,
  Labels: {
    ...Object.fromEntries(
      Object.entries(order.about).map(([name, value]) => [`immunity.${name}`, String(value)]),
    ),
    "immunity.digest": order.image,
    ...mark,
  },
  ExposedPorts: { [`${order.port}/tcp`]: {} },
  Healthcheck: { Test: ["NONE"] },
  HostConfig: {
    ReadonlyRootfs: true,
    // The only mount there is. Z: where SELinux guards the machine, this container alone may read it.
    ...(handed === undefined ? {} : { Binds: [`${handed}:${handedAt}:ro,Z`] }),
    Tmpfs: { "/tmp": scratch, "/run": closed, "/var/tmp": closed },
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges"],
    Privileged: false,
    PidsLimit: pidsLimit,
    Memory: order.memory,
    MemorySwap: order.memory,
    NanoCpus: Math.round(order.cpus * 1e9),
    PortBindings: { [`${order.port}/tcp`]: [{ HostIp: host, HostPort: "" }] },
    RestartPolicy: { Name: "no" },
    LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
  },
})
