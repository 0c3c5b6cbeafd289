import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from "node:crypto"
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { issueCertificate } from "./certificate.ts"

const day = 86_400_000
/** A certificate lives so long, and is renewed when a third of it has passed. */
export const life = day
const authorityLife = 3_650 * day
/** Clocks differ. */
const backdated = 300_000
const subject = "Immunity authority"

/** The name that the control plane shows; no agent is ever given a certificate for it. */
export const controlName = "control.immunity.internal"
export const serverHost = (server: string): string => `${server}.server.immunity.internal`

/** What a side of a connection shows, and whom it believes. PEM. */
export type Credentials = { readonly key: string; readonly cert: string; readonly ca: string }

/** Signs who may talk to whom. Its key never leaves its folder. */
export type Authority = {
  /** PEM. */
  readonly certificate: string
  /** Hex sha256 of the certificate: whoever knows it cannot be shown another authority. */
  readonly fingerprint: string
  readonly issue: (
    name: string,
    publicKey: KeyObject,
    now: number,
  ) => { readonly cert: string; readonly expires: number }
}

/** Opens the authority of a folder; makes one at the first start. Throws when others can read its key. */
export function openAuthority(folder: string, now: number): Authority {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, "authority.pem")
  if (!existsSync(file)) create(file, now)
  if (statSync(file).mode & 0o077)
    throw new Error(`${file} can be read by others, and it signs for every server; change it (chmod 600)`)
  const text = readFileSync(file, "utf8")
  const privateKey = createPrivateKey(text)
  const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(text)?.[0]
  if (!certificate) throw new Error(`${file} holds no certificate; restore it from a backup`)
  const publicKey = createPublicKey(privateKey)
  return {
    certificate,
    fingerprint: fingerprintOf(certificate),
    issue(name, key, at) {
      const expires = at + life
      const issuer = { name: subject, publicKey, privateKey }
      const times = { notBefore: at - backdated, notAfter: expires }
      return {
        cert: issueCertificate({ subject: name, publicKey: key, issuer, names: [name], ...times }),
        expires,
      }
    },
  }
}

export const fingerprintOf = (certificate: string): string =>
  new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase()

export const newKey = (): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } =>
  generateKeyPairSync("ec", { namedCurve: "P-256" })

/** Of two that begin at once one wins, and both use it. */
function create(file: string, now: number): void {
  const { publicKey, privateKey } = newKey()
  const certificate = issueCertificate({
    subject,
    publicKey,
    issuer: { name: subject, publicKey, privateKey },
    notBefore: now - backdated,
    notAfter: now + authorityLife,
  })
  const fresh = `${file}.${process.pid}`
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  writeFileSync(fresh, key + certificate, { mode: 0o600 })
  try {
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    rmSync(fresh)
  }
}
