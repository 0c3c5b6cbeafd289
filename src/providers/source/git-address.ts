import type { CommitId } from "../../core/model/ids.ts"

/** An address that git may be given, and the only protocols it may use for it. */
export type Address = { readonly url: string; readonly protocols: "file" | "https:ssh" }

const host = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})$/
const user = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/

/**
 * Reads a repository's address: `https://host/path`, `ssh://user@host/path`, `user@host:path` or an absolute
 * path on this machine. Everything else is refused with a sentence: git would run some of it.
 */
export function readAddress(text: string): Address {
  const refuse = (because: string): never => {
    throw new Error(
      `the repository's address ${JSON.stringify(shown(text))} is refused: ${because}. ` +
        "Use https://host/path, ssh://user@host/path, user@host:path or an absolute path.",
    )
  }
  if (text.length === 0 || text.length > 1_000) return refuse("it is empty or longer than 1,000 characters")
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused here
  if (/[\u0000-\u0020\u007f\\]/.test(text))
    return refuse("it contains a space, a backslash or a control character")
  if (text.startsWith("-")) return refuse("it starts with a dash, which git reads as an option")
  if (text.includes("::")) return refuse("it names a remote helper, which git would run")
  if (text.startsWith("/")) return { url: text, protocols: "file" }

  const copied = /^(?:([^/@:]+)@)?([^/@:]+):(?!\/\/)(.+)$/.exec(text)
  if (copied) {
    const [, name, machine = "", path = ""] = copied
    if (!host.test(machine) || (name !== undefined && !user.test(name)) || path.startsWith("-"))
      return refuse("its user, host or path is not a plain one")
    return { url: text, protocols: "https:ssh" }
  }

  // Read by a pattern, not by URL: what git is given must be what was looked at, without any rewriting between.
  const [, protocol, name, password, machine, path] =
    /^(https|ssh):\/\/(?:([^/@:]*)(:[^/@]*)?@)?([^/@:]*)(?::\d{1,5})?(\/.*)$/.exec(text) ?? []
  if (protocol === undefined) return refuse("its protocol is not https or ssh, or it has no path")
  // The address is kept in the journal for ever and shown to everyone who may look.
  if (password !== undefined || (protocol === "https" && name !== undefined))
    return refuse(
      "it contains credentials, which would be stored and shown; give the server an ssh key instead",
    )
  if (!host.test(machine ?? "")) return refuse("its host is not a plain name or address")
  if (name !== undefined && !user.test(name)) return refuse("its user is not a plain name")
  if (/[?#]/.test(path ?? "")) return refuse("it has a query or a fragment")
  return { url: text, protocols: "https:ssh" }
}

/** Throws, with a sentence, when it is not the plain name of a branch. */
export function readBranch(text: string): string {
  const plain =
    /^[A-Za-z0-9_][A-Za-z0-9._/+#@=-]{0,199}$/.test(text) && !/\.\.|\/\/|\/\.|\.lock(\/|$)|[/.]$/.test(text)
  if (!plain)
    throw new Error(
      `the branch ${JSON.stringify(text.slice(0, 100))} is refused: it is not a plain branch name such as main or release/2.`,
    )
  return text
}

/** Throws, with a sentence, when it is not a full commit id in hex. */
export function readCommitId(text: string): CommitId {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text))
    throw new Error(
      `${JSON.stringify(text.slice(0, 100))} is not a commit id: 40 or 64 lower-case hex digits.`,
    )
  return text
}

/** An address as it may be shown: without a password, cut. */
export const shown = (url: string): string => url.replace(/\/\/[^/@]*@/, "//***@").slice(0, 200)
