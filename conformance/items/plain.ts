import type { Site, Stage } from "../product.ts"
import type { Backend, Seen } from "../stage/backend.ts"
import { Client } from "../stage/client.ts"
import type { Answer } from "../stage/read-answers.ts"
import { becomes, must } from "../stage/waiting.ts"

/** In milliseconds, of the router in front of the plain backend. */
export const plainTimeouts = { headerTimeout: 1_500, responseTimeout: 1_500, idleTimeout: 20_000 } as const

/** A request in one piece, with what every request has. */
export function request(
  method: string,
  target: string,
  fields: readonly string[] = [],
  body = "",
  version = "HTTP/1.1",
): string {
  const lines = [`${method} ${target} ${version}`, "Host: x.test", ...fields]
  return `${lines.join("\r\n")}\r\n\r\n${body}`
}

/** Sends bytes on a connection of their own and waits for the first answer, or the end. */
export async function ask(
  stage: Stage,
  site: Site,
  bytes: string,
  ...methods: readonly string[]
): Promise<{ readonly client: Client; readonly answers: readonly Answer[] }> {
  const client = await Client.connect(site.address, stage.cleanup)
  client.send(bytes, ...(methods.length > 0 ? methods : ["GET"]))
  return { client, answers: await client.settled(Math.max(1, methods.length)) }
}

/** One request that must be answered with 200; its body. */
export async function ok(stage: Stage, site: Site, bytes: string): Promise<string> {
  const { client, answers } = await ask(stage, site, bytes)
  const [first] = answers
  must(first?.isWhole, `no whole answer but ${JSON.stringify(client.text.slice(0, 80))}`)
  must(first.status === 200, `answered ${first.status} instead of 200`)
  client.socket.destroy()
  return first.body
}

export type Variant = {
  readonly name: string
  /** `TARGET` in it is replaced by a path of its own. */
  readonly bytes: string
  /** When it may also be sent on: whether what reached the backend has one meaning only. */
  readonly orSentOn?: (seen: Seen) => boolean
}

/**
 * Each of these must be refused: 4xx, 5xx or a closed connection, and no whole request at the backend. Nothing
 * that hides behind it, `/smuggled`, may reach the backend in any case.
 */
export async function refuses(stage: Stage, variants: readonly Variant[]): Promise<void> {
  const { site, backend } = await stage.plain()
  const wrong = await Promise.all(
    variants.map((variant, at) => asRefused(stage, site, backend, variant, `/refused-${at}`)),
  )
  const found = wrong.filter((one) => one !== undefined)
  const smuggled = backend.requests.some((seen) => seen.target.includes("smuggled"))
  if (smuggled) found.push("a request that was hidden behind another one reached the backend")
  must(found.length === 0, found.join("; "))
}

async function asRefused(
  stage: Stage,
  site: Site,
  backend: Backend,
  { name, bytes, orSentOn }: Variant,
  target: string,
): Promise<string | undefined> {
  const client = await Client.connect(site.address, stage.cleanup)
  client.send(bytes.replace("TARGET", target), "GET")
  const mine = () => backend.requests.filter((seen) => seen.target.includes(target))
  await becomes(() => client.text.length > 0 || client.state !== "open", 5_000)
  const isSilent = client.text.length === 0 && client.state === "open"
  const status = /^HTTP\/1\.\d (\d{3})/.exec(client.text)?.[1]
  client.socket.destroy()
  const [seen] = mine().filter((one) => one.isWhole)
  if (seen && !orSentOn) return `${name} reached the backend`
  if (seen) return orSentOn?.(seen) ? undefined : `${name} reached the backend in a form with two meanings`
  if (isSilent) return `${name}: neither refused nor ended within 5 s`
  if (status !== undefined && Number(status) < 400) return `${name} was answered ${status}`
  return undefined
}
