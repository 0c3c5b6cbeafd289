import { execFileSync } from "node:child_process"
import { createHash, X509Certificate } from "node:crypto"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import type { Agent } from "../../ports/agent.ts"
import { connectRemoteAgent } from "../client.ts"
import { type RemoteAgentServer, serveRemotely } from "../server.ts"
import {
  type Authority,
  type Credentials,
  controlName,
  life,
  newKey,
  openAuthority,
  serverHost,
} from "./authority.ts"
import { controlCredentials, type Door, openDoor } from "./door.ts"
import { type Identity, joinFleet, keepRenewed, readIdentity, renew } from "./identity.ts"
import { Registry } from "./registry.ts"
import { writeToken } from "./token.ts"

let folder: string
let now: number
let authority: Authority
let registry: Registry
let door: Door
let control: Credentials
const closing: (() => Promise<void> | void)[] = []
const quiet = { info: () => undefined, warn: () => undefined }

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "immunity-trust-"))
  now = Date.now()
  const clock = { now: () => now }
  authority = openAuthority(join(folder, "control"), now)
  registry = Registry.open(join(folder, "control"), clock)
  control = controlCredentials(authority, newKey(), now)
  door = await openDoor(
    { authority, registry, clock, credentials: () => control, log: quiet },
    "127.0.0.1",
    0,
  )
  closing.push(
    () => door.close(),
    () => registry.close(),
  )
})

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  rmSync(folder, { recursive: true, force: true })
})

const doorAddress = () => `https://127.0.0.1:${door.port}`
const invited = (server: string, forMs = 60_000): string =>
  writeToken({
    server,
    secret: registry.invite(server, "ana", forMs).secret,
    fingerprint: authority.fingerprint,
  })
const joined = (server: string, token = invited(server)): Promise<Identity> =>
  joinFleet(join(folder, server), { control: doorAddress(), token, address: "127.0.0.1:7301" })

/** An agent that answers with its name. */
async function serving(
  identity: Credentials,
  server: string,
): Promise<{ address: string; served: RemoteAgentServer }> {
  const agent = { server, observe: async () => ({ server }) } as unknown as Agent
  const { port } = await freePort()
  const served = await serveRemotely(agent, identity, { host: "127.0.0.1", port })
  closing.push(() => served.close())
  return { address: `127.0.0.1:${port}`, served }
}

async function freePort(): Promise<{ port: number }> {
  const { createServer } = await import("node:net")
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const at = server.address()
      server.close(() => resolve({ port: typeof at === "object" && at ? at.port : 0 }))
    })
  })
}

const asks = (server: string, address: string, credentials: Credentials) =>
  connectRemoteAgent({ server, address, credentials: () => credentials }).observe(
    [],
    AbortSignal.timeout(60_000),
  )

it("an authority of our own signs certificates that OpenSSL accepts, for the name asked and a day", () => {
  const { cert, expires } = authority.issue(serverHost("a"), newKey().publicKey, now)
  const read = new X509Certificate(cert)
  const ca = new X509Certificate(authority.certificate)
  expect(read.checkIssued(ca)).toBe(true)
  expect(read.verify(ca.publicKey)).toBe(true)
  expect(ca.ca).toBe(true)
  expect(read.ca).toBe(false)
  expect(read.checkHost(serverHost("a"))).toBe(serverHost("a"))
  expect(read.checkHost(serverHost("b"))).toBeUndefined()
  expect(expires - now).toBe(life)
  expect(Math.abs(Date.parse(read.validTo) - expires)).toBeLessThan(1_000)
  writeFileSync(join(folder, "ca.pem"), authority.certificate)
  writeFileSync(join(folder, "leaf.pem"), cert)
  const said = execFileSync("openssl", [
    "verify",
    "-x509_strict",
    "-purpose",
    "sslserver",
    "-CAfile",
    join(folder, "ca.pem"),
    join(folder, "leaf.pem"),
  ]).toString()
  expect(said).toContain("OK")
  const strict = execFileSync("openssl", [
    "verify",
    "-x509_strict",
    "-purpose",
    "sslclient",
    "-CAfile",
    join(folder, "ca.pem"),
    join(folder, "leaf.pem"),
  ]).toString()
  expect(strict).toContain("OK")
})

it("an authority is the same after a restart, and is refused when others can read its key", () => {
  expect(openAuthority(join(folder, "control"), now).fingerprint).toBe(authority.fingerprint)
  chmodSync(join(folder, "control", "authority.pem"), 0o644)
  expect(() => openAuthority(join(folder, "control"), now)).toThrow("can be read by others")
})

it("a server joins by a one-time token, and answers the control plane from then on", async () => {
  const identity = await joined("a")
  expect(await readIdentity(join(folder, "a"))).toEqual(identity)
  expect(registry.joined()).toMatchObject([{ server: "a", address: "127.0.0.1:7301" }])
  const { address } = await serving(identity, "a")
  expect(await asks("a", address, control)).toEqual({ server: "a" })
})

it("a token is good once, for its own server, and for its time only; its secret is kept nowhere", async () => {
  const token = invited("a")
  const secret = token.split(".")[2] ?? ""
  const kept = ["servers.db", "servers.db-wal"]
    .map((name) => readFileSync(join(folder, "control", name), "latin1"))
    .join()
  expect(kept).not.toContain(secret)
  expect(kept).toContain(createHash("sha256").update(secret).digest("hex"))
  await expect(joined("b", token.replace("imm1.a.", "imm1.b."))).rejects.toThrow("does not let b join")
  await joined("a", token)
  await expect(joined("a", token)).rejects.toThrow("immunity servers invite a")
  const late = invited("c", 1_000)
  now += 1_001
  await expect(joined("c", late)).rejects.toThrow("does not let c join")
  await expect(joined("d", "imm1.d.half")).rejects.toThrow("not a whole token")
})

it("a control plane that shows another authority than the token names is not told the token", async () => {
  const other = openAuthority(join(folder, "other"), now)
  const token = writeToken({
    server: "a",
    secret: registry.invite("a", "ana", 60_000).secret,
    fingerprint: other.fingerprint,
  })
  await expect(joined("a", token)).rejects.toThrow("another authority")
  expect(registry.redeem("a", token.split(".")[2] ?? "")).toBe(true)
})

it("nobody but the control plane orders an agent: not another server, not a stranger, not one without a certificate", async () => {
  const { address } = await serving(await joined("a"), "a")
  const neighbour = await joined("b")
  await expect(asks("a", address, neighbour)).rejects.toThrow("only the control plane")
  const stranger = openAuthority(join(folder, "stranger"), now)
  const forged = controlCredentials(stranger, newKey(), now)
  await expect(asks("a", address, { ...forged, ca: authority.certificate })).rejects.toThrow()
  const { key: _key, cert: _cert, ...nothing } = control
  await expect(asks("a", address, nothing as Credentials)).rejects.toThrow()
})

it("the control plane gives no orders to a server that is not the one it is called", async () => {
  const { address } = await serving(await joined("b"), "b")
  await expect(asks("a", address, control)).rejects.toThrow(/altnames|Hostname/i)
})

it("an expired certificate of the control plane is refused by agents", async () => {
  const { address } = await serving(await joined("a"), "a")
  const old = controlCredentials(authority, newKey(), now - 2 * life)
  await expect(asks("a", address, old)).rejects.toThrow()
})

it("a certificate is renewed when a third of its life has passed, not before, and the agent serves on with it", async () => {
  const first = await joined("a")
  const third = (life + 300_000) / 3 - 300_000
  const older = authority.issue(
    serverHost("a"),
    new X509Certificate(first.cert).publicKey,
    now - third + 120_000,
  )
  const { address, served } = await serving(first, "a")
  const ending = new AbortController()
  let waited = 0
  const clock = {
    now: () => now + waited,
    mono: () => waited,
    sleep: async (ms: number) => {
      waited += ms
    },
  }
  const fresh = await new Promise<Identity>((resolve, reject) => {
    void keepRenewed(join(folder, "a"), { ...first, cert: older.cert }, clock, ending.signal, {
      renewed: (identity) => {
        ending.abort()
        resolve(identity)
      },
      failed: (because) => reject(new Error(because)),
    })
  })
  expect(Math.abs(waited - 120_000)).toBeLessThan(2_000)
  expect(fresh.key).toBe(first.key)
  expect(await readIdentity(join(folder, "a"))).toEqual(fresh)
  served.renew(fresh)
  expect(await asks("a", address, control)).toEqual({ server: "a" })
})

it("a server that was cut off for days renews what has expired; one that was removed, or is another, does not", async () => {
  const identity = await joined("a")
  const key = registry.keyOf("a") ?? ""
  const lapsed = authority.issue(
    serverHost("a"),
    new X509Certificate(identity.cert).publicKey,
    now - 3 * life,
  )
  const back = await renew({ ...identity, cert: lapsed.cert })
  expect(new X509Certificate(back.cert).checkHost(serverHost("a"))).toBeDefined()
  const ancient = authority.issue(
    serverHost("a"),
    new X509Certificate(identity.cert).publicKey,
    now - 40 * life,
  )
  await expect(renew({ ...identity, cert: ancient.cert })).rejects.toThrow("invite it again")
  registry.remove("a")
  await expect(renew(identity)).rejects.toThrow("was removed")
  registry.join(
    "a",
    "127.0.0.1:7301",
    newKey().publicKey.export({ type: "spki", format: "pem" }).toString(),
    now,
  )
  await expect(renew(identity)).rejects.toThrow("not the a that joined")
  expect(key).not.toBe(registry.keyOf("a"))
})

it("the door does nothing else, and says nothing of why when it fails", async () => {
  const ask = (path: string, body: string) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const asked = request(
        {
          host: "127.0.0.1",
          port: door.port,
          path,
          method: "POST",
          servername: controlName,
          ca: authority.certificate,
        },
        (answer) => {
          let text = ""
          answer.on("data", (chunk) => {
            text += chunk
          })
          answer.on("end", () => resolve({ status: answer.statusCode, text }))
        },
      )
      asked.on("error", reject)
      asked.end(body)
    })
  expect((await ask("/v1/run-job", "{}")).status).toBe(403)
  expect((await ask("/renew", "{}")).text).toContain("only a server that has joined")
  expect((await ask("/join", "x".repeat(20_000))).text).toContain("larger than")
  expect((await ask("/join", '{"server":"../x"}')).status).toBe(403)
  const key = "not a key"
  const join = { server: "a", secret: "x".repeat(43), key, address: "127.0.0.1:1" }
  expect((await ask("/join", JSON.stringify(join))).text).toContain("P-256")
})
