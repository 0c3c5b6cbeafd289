import { readFileSync, statSync } from "node:fs"
import { createServer, type Server } from "node:tls"

/** Where a certificate and its key are read from, again whenever they change. */
export type TlsFiles = { readonly cert: string; readonly key: string }

const looksEvery = 1_000

/**
 * A server for clients that come in over TLS. A certificate that is replaced on disk is served to whoever
 * connects next; one that does not fit its key is not taken, the one before stays. Throws when the first
 * certificate cannot be read.
 */
export function createSecureServer(files: TlsFiles): Server {
  let seen = versionOf(files)
  const server = createServer({
    ...read(files),
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: 10_000,
    allowHalfOpen: true,
    noDelay: true,
  })
  const timer = setInterval(() => {
    const now = versionOf(files)
    if (now === seen || now === undefined) return
    try {
      server.setSecureContext({ ...read(files), minVersion: "TLSv1.2" })
      seen = now
    } catch {
      // Half of a renewal: certificate and key are two files, and one of them comes first.
    }
  }, looksEvery)
  timer.unref()
  server.on("close", () => clearInterval(timer))
  server.on("tlsClientError", (_error, socket) => socket.destroy())
  return server
}

const read = ({ cert, key }: TlsFiles) => ({ cert: readFileSync(cert), key: readFileSync(key) })

/** Changes when one of the files does; undefined while one is missing. */
function versionOf(files: TlsFiles): string | undefined {
  try {
    return [files.cert, files.key]
      .map((file) => statSync(file))
      .map(({ ino, mtimeMs, size }) => `${ino}.${mtimeMs}.${size}`)
      .join(" ")
  } catch {
    return undefined
  }
}
