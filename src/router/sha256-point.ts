import { hash } from "node:crypto"

/** The first 32 bits of SHA-256: what HAProxy computes too, so that users keep their side when the router changes. */
export function sha256Point(salt: string, key: string): number {
  return hash("sha256", Buffer.from(`${salt}\0${key}`, "latin1"), "buffer").readUInt32BE(0) / 2 ** 32
}
