import { X509Certificate } from "node:crypto"
import { mkdir, stat } from "node:fs/promises"
import { request } from "node:https"
import { join } from "node:path"
import { Type } from "typebox"
import type { Clock } from "../../ports/clock.ts"
import { readJson, writeAtomically } from "../files.ts"
import { parse } from "../wire.ts"
import { type Credentials, controlName, fingerprintOf, newKey } from "./authority.ts"
import { readToken } from "./token.ts"

const Identity = Type.Object({
  server: Type.String(),
  /** `host:port` where its agent answers. */
  address: Type.String(),
  /** `https://host:port` where it joined and renews. */
  control: Type.String(),
  key: Type.String(),
  cert: Type.String(),
  ca: Type.String(),
})

/** Who a server is: what it got when it joined. */
export type Identity = Credentials & {
  readonly server: string
  readonly address: string
  readonly control: string
}

const Signed = Type.Object({ cert: Type.String({ maxLength: 10_000 }) })
const Shown = Type.Object({ certificate: Type.String({ maxLength: 10_000 }) })

/** Lets this machine join: makes a key, shows the token, and keeps what it gets in its folder. */
export async function joinFleet(
  dir: string,
  order: { readonly control: string; readonly token: string; readonly address: string },
): Promise<Identity> {
  const { server, secret, fingerprint } = readToken(order.token)
  const control = addressOf(order.control)
  // The authority is no secret; which one is ours, the token says.
  const { certificate: ca } = parse(Shown, await ask(control, "GET", "/authority", undefined, undefined))
  if (fingerprintOf(ca) !== fingerprint)
    throw new Error(
      `${order.control} shows another authority than the token names: it is not the control plane that invited this server, or somebody is between`,
    )
  const { publicKey, privateKey } = newKey()
  const key = publicKey.export({ type: "spki", format: "pem" }).toString()
  const { cert } = parse(
    Signed,
    await ask(control, "POST", "/join", { server, secret, key, address: order.address }, { ca }),
  )
  const own = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  const identity = { server, address: order.address, control: order.control, key: own, cert, ca }
  await keepIdentity(dir, identity)
  return identity
}

const fileIn = (dir: string): string => join(dir, "identity.json")

/** What this machine got when it joined; undefined when it never has. */
export async function readIdentity(dir: string): Promise<Identity | undefined> {
  const file = fileIn(dir)
  const found = await readJson(file)
  if (found === undefined) return undefined
  if ((await stat(file)).mode & 0o077)
    throw new Error(`${file} can be read by others, and it holds this server's key; change it (chmod 600)`)
  return parse(Identity, found)
}

async function keepIdentity(dir: string, identity: Identity): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeAtomically(fileIn(dir), JSON.stringify(identity))
}

/** Renews the certificate when a third of its life has passed, until the signal; tells of each new one. */
export async function keepRenewed(
  dir: string,
  first: Identity,
  clock: Clock,
  signal: AbortSignal,
  tell: { readonly renewed: (identity: Identity) => void; readonly failed: (because: string) => void },
): Promise<void> {
  let identity = first
  while (!signal.aborted) {
    const cert = new X509Certificate(identity.cert)
    const [from, to] = [Date.parse(cert.validFrom), Date.parse(cert.validTo)]
    if (clock.now() < from + (to - from) / 3) {
      await clock.sleep(Math.min(60_000, from + (to - from) / 3 - clock.now()), signal)
      continue
    }
    try {
      identity = await renew(identity)
      await keepIdentity(dir, identity)
      tell.renewed(identity)
    } catch (error) {
      tell.failed(error instanceof Error ? error.message : String(error))
      await clock.sleep(30_000, signal)
    }
  }
}

/** A new certificate for the same key. */
export async function renew(identity: Identity): Promise<Identity> {
  const answer = await ask(addressOf(identity.control), "POST", "/renew", {}, identity)
  return { ...identity, cert: parse(Signed, answer).cert }
}

type Address = { readonly host: string; readonly port: number }

function addressOf(control: string): Address {
  const url = URL.canParse(control) ? new URL(control) : undefined
  if (url?.protocol !== "https:" || url.port === "")
    throw new Error(`--to ${control} is not an address such as https://10.0.0.1:7400`)
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) }
}

/** `trust`: whom to believe, and what to show; without it what comes must be checked by whoever asked. */
function ask(
  { host, port }: Address,
  method: string,
  path: string,
  body: unknown,
  trust: Partial<Credentials> | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { ca, key, cert } = trust ?? {}
    const asked = request(
      {
        host,
        port,
        method,
        path,
        servername: controlName,
        minVersion: "TLSv1.3",
        rejectUnauthorized: trust !== undefined,
        signal: AbortSignal.timeout(15_000),
        agent: false,
        ...(ca === undefined ? {} : { ca }),
        ...(key === undefined || cert === undefined ? {} : { key, cert }),
        headers: { "content-type": "application/json" },
      },
      (answer) => {
        let text = ""
        answer.setEncoding("utf8")
        answer.on("data", (chunk: string) => {
          text += chunk
          if (text.length > 65_536) asked.destroy(new Error("the answer is too long"))
        })
        answer.on("error", reject)
        answer.on("end", () => {
          try {
            const value = JSON.parse(text) as { readonly error?: string }
            if (answer.statusCode === 200) resolve(value)
            else reject(new Error(`the control plane refused: ${value.error ?? answer.statusCode}`))
          } catch {
            reject(
              new Error(`the control plane answered ${answer.statusCode} with something that is not JSON`),
            )
          }
        })
      },
    )
    asked.on("error", (error) =>
      reject(new Error(`no control plane could be asked at ${host}:${port}: ${error.message}`)),
    )
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
