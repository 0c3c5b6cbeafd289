import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"
import type { Sealer } from "../../ports/sealer.ts"

const cipher = "aes-256-gcm"
const form = "v1"
const nonceBytes = 12
const tagBytes = 16

/**
 * Seals with AES-256-GCM (NIST SP 800-38D) under a key of 32 random bytes or more as text, asked for when it is first
 * needed. `whose` names it for people: the file that it stands in.
 */
export function aesSealer(parts: { readonly whose: string; readonly key: () => string }): Sealer {
  const key = () => createHash("sha256").update(parts.key()).digest()
  return {
    seal(text, purpose) {
      const nonce = randomBytes(nonceBytes)
      const sealing = createCipheriv(cipher, key(), nonce).setAAD(Buffer.from(purpose))
      const body = Buffer.concat([sealing.update(text, "utf8"), sealing.final()])
      return `${form}.${Buffer.concat([nonce, sealing.getAuthTag(), body]).toString("base64url")}`
    },
    open(sealed, purpose) {
      const [version, text = ""] = sealed.split(".")
      const bytes = Buffer.from(text, "base64url")
      const [nonce, tag, body] = [
        bytes.subarray(0, nonceBytes),
        bytes.subarray(nonceBytes, nonceBytes + tagBytes),
        bytes.subarray(nonceBytes + tagBytes),
      ]
      try {
        if (version !== form || tag.length !== tagBytes) throw new Error("of another form")
        const opening = createDecipheriv(cipher, key(), nonce).setAAD(Buffer.from(purpose)).setAuthTag(tag)
        return opening.update(body, undefined, "utf8") + opening.final("utf8")
      } catch {
        throw new Error(
          `the secret of "${purpose}" cannot be opened with ${parts.whose}: it was sealed with another key; ` +
            "bring back the one that this store was used with, or set the secret again",
        )
      }
    },
  }
}
