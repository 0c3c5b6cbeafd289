import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { createServer } from "node:https"
import { isIP } from "node:net"
import type { TLSSocket } from "node:tls"
import { Type } from "typebox"
import type { Clock } from "../../ports/clock.ts"
import { readBody } from "../read-body.ts"
import { BadOrder, parse } from "../wire.ts"
import { type Authority, type Credentials, controlName, serverHost } from "./authority.ts"
import type { Registry } from "./registry.ts"

const mostBody = 16 * 1024
/** A server that was cut off, or whose control plane was, may come back for so long without a new invitation. */
const lateBy = 30 * 86_400_000

const Join = Type.Object({
  server: Type.String({ pattern: "^[a-z][a-z0-9-]{0,39}$" }),
  secret: Type.String({ pattern: "^[A-Za-z0-9_-]{43}$" }),
  key: Type.String({ maxLength: 2_000 }),
  address: Type.String({ maxLength: 100 }),
})

export type DoorParts = {
  readonly authority: Authority
  readonly registry: Registry
  readonly clock: Pick<Clock, "now">
  /** What the control plane shows at this moment. */
  readonly credentials: () => Credentials
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

export type Door = { readonly port: number; readonly renew: () => void; readonly close: () => Promise<void> }

/**
 * Where servers join and renew their certificates; the only thing of the control plane that listens beside
 * loopback. Whoever shows neither a token nor the key that it joined with learns the authority's certificate,
 * which is no secret, and nothing else.
 */
export async function openDoor(parts: DoorParts, host: string, port: number): Promise<Door> {
  const server = createServer(
    { ...parts.credentials(), minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const from = request.socket.remoteAddress
      const say = (status: number, body: unknown) => {
        if (response.destroyed) return
        response.writeHead(status, { "content-type": "application/json", connection: "close" })
        response.end(JSON.stringify(body))
      }
      answer(parts, request).then(
        (body) => say(200, body),
        (error: unknown) => {
          const refused = error instanceof BadOrder
          const because = error instanceof Error ? error.message : String(error)
          parts.log.warn({ part: "servers", from }, because)
          say(refused ? 403 : 500, {
            error: refused ? because : "the control plane failed here; its log says more",
          })
        },
      )
    },
  )
  server.requestTimeout = 10_000
  server.headersTimeout = 5_000
  server.maxConnections = 256
  server.on("tlsClientError", () => undefined)
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, host, resolve)
  })
  const at = server.address()
  return {
    port: typeof at === "object" && at ? at.port : port,
    renew: () => server.setSecureContext({ ...parts.credentials(), minVersion: "TLSv1.3" }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(parts: DoorParts, request: IncomingMessage): Promise<unknown> {
  switch (`${request.method} ${request.url}`) {
    case "GET /authority":
      return { certificate: parts.authority.certificate }
    case "POST /join":
      return join(parts, await readBody(request, mostBody))
    case "POST /renew":
      return renew(parts, (request.socket as TLSSocket).getPeerX509Certificate())
    default:
      throw new BadOrder("servers join and renew here, and nothing else")
  }
}

function join({ authority, registry, clock, log }: DoorParts, body: unknown): unknown {
  const { server, secret, key, address } = parse(Join, body)
  const publicKey = readKey(key)
  const [, host = "", port = ""] = /^\[?([0-9a-fA-F.:]+)\]?:(\d{1,5})$/.exec(address) ?? []
  if (isIP(host) === 0 || Number(port) < 1 || Number(port) > 65_535)
    throw new BadOrder(`${address} is not an address such as 10.0.0.11:7301; say where the agent answers`)
  if (!registry.redeem(server, secret))
    throw new BadOrder(
      `this token does not let ${server} join: it was used, replaced by a newer one, or is too old; make another one with: immunity servers invite ${server}`,
    )
  const { cert, expires } = authority.issue(serverHost(server), publicKey, clock.now())
  registry.join(server, address, publicKey.export({ type: "spki", format: "pem" }).toString(), expires)
  log.info({ part: "servers", server, address }, "joined")
  return { cert, expires }
}

/** The handshake has proved that the caller holds the certificate's key; the registry says whether that still counts. */
function renew({ authority, registry, clock, log }: DoorParts, shown: X509Certificate | undefined): unknown {
  const server =
    shown && /(?:^|\n)CN=([a-z][a-z0-9-]{0,39})\.server\.immunity\.internal$/.exec(shown.subject)?.[1]
  if (!shown || !server) throw new BadOrder("only a server that has joined can renew its certificate")
  const known = registry.keyOf(server)
  if (!known)
    throw new BadOrder(
      `${server} was removed, or joined another control plane; invite it again to let it back in`,
    )
  const joined = createPublicKey(known)
  if (!shown.verify(new X509Certificate(authority.certificate).publicKey) || !shown.publicKey.equals(joined))
    throw new BadOrder(`this is not the ${server} that joined; invite it again if it was set up anew`)
  if (clock.now() > Date.parse(shown.validTo) + lateBy)
    throw new BadOrder(`the certificate of ${server} ended more than 30 days ago; invite it again`)
  const { cert, expires } = authority.issue(serverHost(server), joined, clock.now())
  registry.renewed(server, expires)
  log.info({ part: "servers", server }, "its certificate was renewed")
  return { cert, expires }
}

function readKey(text: string): KeyObject {
  try {
    const key = createPublicKey(text)
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key
  } catch {
    // Said below.
  }
  throw new BadOrder("the key is not a public key on the curve P-256")
}

/** What the control plane shows to its servers; a fresh one each time. */
export function controlCredentials(
  authority: Authority,
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  now: number,
): Credentials {
  const { cert } = authority.issue(controlName, pair.publicKey, now)
  const key = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  return { key, cert, ca: authority.certificate }
}
