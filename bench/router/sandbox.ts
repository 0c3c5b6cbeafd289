/** A sandbox that hangs: it takes every connection and every request, and never answers. */
import { createServer } from "node:net"

createServer((socket) => {
  socket.on("error", () => undefined)
  socket.resume()
}).listen(Number(process.argv[2]), "127.0.0.1", 1_024)
