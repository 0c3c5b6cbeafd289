import type { ServerView } from "../contract/views.ts"
import { precedence } from "./precedence.ts"

type Seen = { readonly version?: string | undefined; readonly pid?: number | undefined }
type Told = NonNullable<ServerView["outdated"]>

/**
 * What to tell of an agent that runs another program than this control plane, because it outlived an upgrade or was
 * not upgraded with it; undefined when both are the same. `isOwn`: it is the agent of this machine, which `serve`
 * starts again when it has ended.
 */
export function outdated(seen: Seen, program: string, isOwn: boolean): Told | undefined {
  if (seen.version === program) return undefined
  const process =
    seen.pid === undefined ? "the agent's process" : `the agent's process alone (kill ${seen.pid})`
  const same = isOwn
    ? `when nothing is built or tested, end ${process}: it is started again at once as ${program}, router and instances go on meanwhile. ` +
      "The router keeps its program until everything is stopped: immunity agent stop, then immunity serve; users meet nobody in between"
    : `when nothing is built or tested there, install ${program} on that server, end ${process} and start it again as before; its instances go on meanwhile`
  const kind = kindOf(seen.version, program)
  const next = {
    older: same,
    newer: `upgrade this control plane to ${seen.version}; or, where it was taken back on purpose: ${same}`,
    patch: `nothing needs to be done; whoever wants both the same: ${same}`,
  }
  return {
    kind,
    says: `its agent runs ${seen.version ?? "an unknown version"}, this control plane ${program}`,
    next: next[kind],
  }
}

/** By version first, and by Node where that is the same; what cannot be read counts as older. */
function kindOf(theirs: string | undefined, ours: string): Told["kind"] {
  const [their, our] = [partsOf(theirs), partsOf(ours)]
  if (!their || !our) return "older"
  const order = precedence(their.version, our.version)
  if (order !== 0) return kindOfOrder(order)
  if (lineOf(their.node) === lineOf(our.node)) return "patch"
  return kindOfOrder(precedence(their.node, our.node))
}

const kindOfOrder = (order: number | undefined): Told["kind"] =>
  order === undefined || order < 0 ? "older" : "newer"

function partsOf(program: string | undefined) {
  const [, version, node] = program?.match(/^(\S+) on Node (\S+)$/) ?? []
  return version !== undefined && node !== undefined ? { version, node } : undefined
}

/** Major and minor. */
const lineOf = (node: string): string => node.split(".").slice(0, 2).join(".")
