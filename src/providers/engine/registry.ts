import type { IncomingMessage } from "node:http"
import { createInterface } from "node:readline"
import type { Digest } from "../../core/model/ids.ts"
import type { RegistryCopy, RegistryLogin } from "../../ports/containers.ts"
import { BuildLine, read } from "./answers.ts"
import { open } from "./wire.ts"

/** Has the engine push what bears this name; the digest of its manifest there. */
export async function pushImage(
  socket: string,
  { repo, tag }: { readonly repo: string; readonly tag: string },
  login: RegistryLogin | undefined,
  signal: AbortSignal,
): Promise<Digest> {
  const path = `/images/${repo}/push`
  const answer = await open(socket, {
    method: "POST",
    path,
    query: { tag },
    headers: auth(repo, login),
    signal,
  })
  let manifest: string | undefined
  for await (const { status } of linesOf(answer))
    manifest = /\bdigest: (sha256:[0-9a-f]{64})\b/.exec(status ?? "")?.[1] ?? manifest
  if (manifest === undefined) throw new Error(`the engine does not say under which digest ${repo} has it`)
  return manifest as Digest
}

/** Has the engine fetch a manifest with all it names, by digest. */
export async function pullImage(
  socket: string,
  { repository, manifest }: RegistryCopy,
  login: RegistryLogin | undefined,
  signal: AbortSignal,
): Promise<void> {
  const query = { fromImage: repository, tag: manifest }
  const headers = auth(repository, login)
  const answer = await open(socket, { method: "POST", path: "/images/create", query, headers, signal })
  for await (const _ of linesOf(answer)) signal.throwIfAborted()
}

/** Engines answer 200 first, and in a line of the answer that it went wrong. */
async function* linesOf(answer: IncomingMessage): AsyncGenerator<{ readonly status?: string | null }> {
  for await (const line of createInterface({ input: answer })) {
    if (line.trim() === "") continue
    const said = read(BuildLine, JSON.parse(line))
    if (said.error) throw new Error(said.error.trim())
    yield said
  }
}

/** Padded: Podman wants it so. Docker refuses to push without this header, also where nobody has to say who they are. */
function auth(repository: string, login: RegistryLogin | undefined): Readonly<Record<string, string>> {
  const who = login ? { ...login, serveraddress: repository.slice(0, repository.indexOf("/")) } : {}
  const text = Buffer.from(JSON.stringify(who)).toString("base64")
  return { "x-registry-auth": text.replaceAll("+", "-").replaceAll("/", "_") }
}
