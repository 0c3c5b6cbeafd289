import type { Difference } from "../../core/pipeline/events.ts"
import { type ContainerOrder, handedAt } from "../../ports/containers.ts"
import { digestOf, type Inspected } from "./answers.ts"
import { pidsLimit, user } from "./whitelist.ts"

const kinds: readonly Difference["what"][] = ["changed", "added", "removed"]
/** What engines mount into every container, also into one that nobody can write to. */
const mounted =
  /^\/(\.dockerenv|dev|proc|sys|tmp|run|var\/run|var\/tmp|etc\/(hosts|hostname|resolv\.conf|mtab))(\/|$)/
/** Folders that get a mount point and are called changed for it. */
const above = new Set(["/", "/etc", "/var"])

/** Where a container's files differ from its image, without what the engine itself puts into every one. */
export function changedFiles(
  found: readonly { readonly Path: string; readonly Kind: number }[],
): readonly Difference[] {
  const own = found.filter(({ Path }) => !mounted.test(Path))
  const parents = new Set(own.flatMap(({ Path }) => ancestors(Path)))
  // A folder is called changed or added when something below it is; what is below says more.
  return own
    .filter(({ Path }) => !above.has(Path) && !parents.has(Path))
    .map(({ Path, Kind }) => ({ path: Path, what: kinds[Kind] ?? "changed" }))
}

const ancestors = (path: string): readonly string[] =>
  path
    .split("/")
    .slice(1, -1)
    .map((_, i, parts) => `/${parts.slice(0, i + 1).join("/")}`)

/**
 * Where a container is not what was ordered, whoever changed it and however. `at` is where it is published,
 * `handed` the folder that it is to be shown, when there is one.
 */
export function changedSettings(
  found: Inspected,
  order: ContainerOrder,
  at: string,
  handed?: string | undefined,
): readonly Difference[] {
  const { Config: config, HostConfig: host } = found
  const wrong: Difference[] = []
  const expect = (path: string, right: boolean, what: Difference["what"] = "changed") => {
    if (!right) wrong.push({ path, what })
  }
  expect("its image", digestOf(found.Image) === order.image)
  expect("its command", same(config.Cmd ?? [], order.command) && (config.Entrypoint ?? []).length === 0)
  expect("its user", config.User === user)
  const env = new Set(config.Env ?? [])
  for (const [name, value] of Object.entries(order.env))
    expect(`environment ${name}`, env.has(`${name}=${value}`))
  expect("its memory limit", (host.Memory ?? 0) === order.memory)
  expect("its limit of processes", (host.PidsLimit ?? 0) === pidsLimit)
  expect("its limit of processor time", Math.abs(cpusOf(found) - order.cpus) < 0.01)
  expect("its root", host.ReadonlyRootfs === true)
  expect("its privileges", host.Privileged !== true && (host.CapAdd ?? []).length === 0)
  expect("devices", (host.Devices ?? []).length === 0, "added")
  expect("its namespaces", ![host.NetworkMode, host.PidMode, host.IpcMode].some((mode) => mode === "host"))
  for (const mount of mountsOf(found, handed)) wrong.push({ path: `mount ${mount}`, what: "added" })
  expect(`mount ${handedAt}`, handed === undefined || shows(found, handed), "removed")
  for (const port of portsOf(found)) expect(`port ${port}`, port === `${at} ${order.port}/tcp`, "added")
  return wrong
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((word, i) => word === b[i])

function cpusOf({ HostConfig: host }: Inspected): number {
  if (host.NanoCpus) return host.NanoCpus / 1e9
  return (host.CpuQuota ?? 0) / (host.CpuPeriod || 100_000)
}

type Mount = NonNullable<Inspected["Mounts"]>[number]

const isHanded = ({ Source, Destination, RW }: Mount, handed: string | undefined): boolean =>
  handed !== undefined && Source === handed && Destination === handedAt && RW === false

const shows = ({ Mounts }: Inspected, handed: string): boolean =>
  (Mounts ?? []).some((mount) => isHanded(mount, handed))

const mountsOf = (found: Inspected, handed: string | undefined): readonly string[] => [
  ...(found.HostConfig.Binds ?? []).filter((bind) => !bind.startsWith(`${handed}:${handedAt}:`)),
  ...(found.Mounts ?? [])
    .filter((mount) => mount.Type !== "tmpfs" && !isHanded(mount, handed))
    .map(({ Destination }) => Destination),
]

const portsOf = (found: Inspected): readonly string[] =>
  Object.entries(found.HostConfig.PortBindings ?? {}).flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostIp }) => `${HostIp} ${port}`),
  )
