import { createHash, type KeyObject, randomBytes, sign } from "node:crypto"
import { bits, context, integer, octets, oid, sequence, set, time, utf8, yes } from "./der.ts"

/** What a certificate says. Times are milliseconds since the epoch; keys are on the curve P-256. */
export type CertificateOrder = {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly notBefore: number
  readonly notAfter: number
  readonly issuer: { readonly name: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  /** The DNS names it stands for; absent: it is an authority, which signs others and is nobody itself. */
  readonly names?: readonly string[]
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"))

/** Signs an X.509 v3 certificate (RFC 5280) and returns it as PEM. */
export function issueCertificate(order: CertificateOrder): string {
  const { issuer, publicKey, names } = order
  const body = sequence(
    context(0, integer(Buffer.from([2]))),
    // Random, so that nobody can foretell what is signed; the first bit 0, so that it is positive and never short.
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(time(order.notBefore), time(order.notAfter)),
    nameOf(order.subject),
    spki(publicKey),
    context(
      3,
      sequence(
        ...(names ? leafExtensions(names) : authorityExtensions()),
        extension("2.5.29.14", octets(keyId(publicKey))),
        extension("2.5.29.35", sequence(context(0, keyId(issuer.publicKey), false))),
      ),
    ),
  )
  const signature = sign("sha256", body, issuer.privateKey)
  const certificate = sequence(body, ecdsaWithSha256, bits(signature))
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`
}

const nameOf = (commonName: string) => sequence(set(sequence(oid("2.5.4.3"), utf8(commonName))))

const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" })

const keyId = (key: KeyObject): Buffer => createHash("sha256").update(spki(key)).digest().subarray(0, 20)

const extension = (id: string, value: Buffer, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [yes] : []), octets(value))

/** It may sign certificates, of leaves only, and nothing else. */
const authorityExtensions = (): readonly Buffer[] => [
  extension("2.5.29.19", sequence(yes, integer(Buffer.from([0]))), true),
  extension("2.5.29.15", bits(Buffer.from([0x04]), 2), true),
]

/** It may show who it is, to those it calls and to those that call it. */
const leafExtensions = (names: readonly string[]): readonly Buffer[] => [
  extension("2.5.29.19", sequence(), true),
  extension("2.5.29.15", bits(Buffer.from([0x80]), 7), true),
  extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"))),
  extension("2.5.29.17", sequence(...names.map((name) => context(2, Buffer.from(name, "ascii"), false)))),
]
