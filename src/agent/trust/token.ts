/** What a one-time token says: who may join, by which secret, and which authority alone is to be believed. */
export type Token = { readonly server: string; readonly secret: string; readonly fingerprint: string }

export const writeToken = ({ server, secret, fingerprint }: Token): string =>
  `imm1.${server}.${secret}.${fingerprint}`

/** Throws, saying what to do, when it is not a whole token. */
export function readToken(text: string): Token {
  const found = /^imm1\.([a-z][a-z0-9-]{0,39})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/.exec(text.trim())
  const [, server, secret, fingerprint] = found ?? []
  if (!server || !secret || !fingerprint)
    throw new Error("this is not a whole token; copy all of what `immunity servers invite NAME` printed")
  return { server, secret, fingerprint }
}
