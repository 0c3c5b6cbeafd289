import type { ServerView } from "../contract/views.ts"

type Seen = { readonly version?: string | undefined; readonly pid?: number | undefined }

/**
 * What to tell of an agent that runs another program than this control plane, because it outlived an upgrade or was
 * not upgraded with it; undefined when both are the same. `isOwn`: it is the agent of this machine, which `serve`
 * starts again when it has ended.
 */
export function outdated(seen: Seen, program: string, isOwn: boolean): ServerView["outdated"] {
  if (seen.version === program) return undefined
  const process =
    seen.pid === undefined ? "the agent's process" : `the agent's process alone (kill ${seen.pid})`
  return {
    says: `its agent runs ${seen.version ?? "an unknown version"}, this control plane ${program}`,
    next: isOwn
      ? `when nothing is built or tested, end ${process}: it is started again at once as ${program}, router and instances go on meanwhile. ` +
        "The router keeps its program until everything is stopped: immunity agent stop, then immunity serve; users meet nobody in between"
      : `when nothing is built or tested there, install ${program} on that server, end ${process} and start it again as before; its instances go on meanwhile`,
  }
}
